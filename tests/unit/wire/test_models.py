from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from ephemera.wire.models import ExecResult, Lease, LogEntry, Machine, MachineConfig, MachineEvent


def test_null_stands_for_the_empty_value_of_what_the_api_answers() -> None:
    nothing = dict.fromkeys(("name", "region", "instance_id", "private_ip", "updated_at"))
    event = {"type": "exit", "source": None, "request": {"exit_event": {"exit_code": None}}}
    machine = Machine.model_validate({"id": "m1", **nothing, "events": [event]})
    assert (machine.name, machine.instance_id) == ("", "")
    ended = machine.last_exit()
    assert ended
    assert (ended.exit_code, ended.error) == (0, "")
    lease = {"nonce": "n", "description": None, "expires_at": None}
    assert Lease.model_validate(lease).expires_at == 0
    assert ExecResult.model_validate({"stdout": None, "exit_code": 1}).stdout == ""


def test_a_field_that_we_do_not_know_survives_reading_and_writing() -> None:
    sent = {"image": "host", "guest": {"cpus": 1, "new_in_2030": [1]}, "spot": {"x": 0.5}}
    assert MachineConfig.model_validate(sent).model_dump(exclude_unset=True) == sent


@pytest.mark.parametrize(
    "config",
    [
        {"image": 3},
        {"guest": {"cpus": "2"}},
        {"guest": []},
        {"env": {"A": 1}},
        {"restart": {"policy": "sometimes"}},
        {"stop_config": {"timeout": "soon"}},
    ],
)
def test_types_are_strict(config: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        MachineConfig.model_validate(config)


@pytest.mark.parametrize(
    "request_",
    [
        {"exit_event": {"exit_code": 3, "signal": -1}},
        {"MonitorEvent": {"exit_event": {"exit_code": 3}}},
        {"MonitorEvent": {"exit_event": {"exit_code": 3}}, "exit_event": {"exit_code": 9}},
    ],
)
def test_the_exit_event_is_found_in_both_its_places(request_: dict[str, Any]) -> None:
    found = MachineEvent(type="exit", request=request_).exit_event()
    assert found is not None
    assert found.exit_code == 3


def test_a_missing_exit_code_is_zero() -> None:
    found = MachineEvent(type="exit", request={"exit_event": {"signal": -1}}).exit_event()
    assert found is not None
    assert (found.exit_code, found.signal) == (0, -1)


def _machine(*types: str) -> Machine:
    exit_ = {"exit_event": {"exit_code": 7}}
    return Machine(
        events=[MachineEvent(type=one, request=exit_ if one == "exit" else None) for one in types]
    )


def test_an_exit_is_found_below_later_events() -> None:
    found = _machine("destroy", "exit", "stop", "start", "launch").last_exit()
    assert found is not None
    assert found.exit_code == 7


def test_the_exit_of_an_earlier_boot_is_not_that_of_this_one() -> None:
    assert _machine("start", "exit", "start", "launch").last_exit() is None


@pytest.mark.parametrize("host", [None, "", "ok"])
def test_a_state_is_shown_as_it_is(host: str | None) -> None:
    assert Machine(state="started", host_status=host).state_for_people == "started"


def test_a_state_that_nobody_can_ask_for_is_shown_as_such() -> None:
    machine = Machine(state="started", host_status="unreachable")
    assert machine.state_for_people == "started, host unreachable"


def test_a_log_line_has_the_form_of_fly() -> None:
    entry = LogEntry(
        timestamp="2022-09-20T04:08:07.123456Z",
        provider="runner",
        instance="5683009c17548e",
        region="iad",
        message="machine exited with exit code 0, not restarting",
    )
    assert entry.line() == (
        "2022-09-20T04:08:07Z runner[5683009c17548e] iad "
        "[info]machine exited with exit code 0, not restarting"
    )
