"""Whether a machine is well, from what the API says of it."""

from __future__ import annotations

from typing import Any

import pytest

from ephemera.deploy.release.health import CHECKS_S, Health, judge
from ephemera.wire.models import CheckStatus, Machine, MachineConfig, MachineEvent
from ephemera.wire.services import Check, Service, ServiceCheck

REFUSED = "[Errno 111] Connect call failed ('127.0.0.1', 8080)"


def exited(number: int, **said: Any) -> MachineEvent:
    end = {"exit_code": 1, "signal": -1, "requested_stop": False, **said}
    return MachineEvent(id=f"{number:02d}", type="exit", request={"exit_event": end})


def seen(
    state: str = "started",
    *events: MachineEvent,
    checks: list[CheckStatus] | None = None,
    config: MachineConfig | None = None,
) -> Machine:
    return Machine(state=state, events=list(events), checks=checks, config=config)


def test_a_machine_without_checks_has_to_stay() -> None:
    found = judge(seen(), "")
    assert (found.health, found.unchecked) == (Health.WELL, True)


def test_a_request_that_is_answered_tells_more_than_a_connection() -> None:
    passing = [CheckStatus(name="one", status="passing")]
    for kind, unchecked in (("tcp", True), ("http", False)):
        config = MachineConfig(checks={"one": Check(type=kind, port=80)})
        found = judge(seen(checks=passing, config=config), "")
        assert (found.health, found.unchecked) == (Health.WELL, unchecked)


@pytest.mark.parametrize("state", ["created", "starting", "replacing", "stopped", "unheard-of"])
def test_what_is_on_its_way_is_waited_for(state: str) -> None:
    assert judge(seen(state), "").health is Health.WAITING


def test_one_that_could_not_be_started_says_why() -> None:
    failed = MachineEvent(id="03", type="start", request={"error": "no such image"})
    found = judge(seen("failed", failed), "")
    assert (found.health, found.why) == (
        Health.BROKEN,
        "could not be started: no such image",
    )


def test_a_program_that_ends_and_is_not_started_again_is_broken() -> None:
    found = judge(seen("stopped", exited(2, exit_code=3)), "01")
    assert found.health is Health.BROKEN
    assert "exit code 3" in found.why


def test_a_program_may_end_once() -> None:
    once = judge(seen("started", exited(2)), "01")
    assert (once.health, once.exits) == (Health.WELL, 1)
    twice = judge(seen("started", exited(3), exited(2)), "01")
    assert twice.health is Health.BROKEN
    assert "again" in twice.why


def test_the_end_of_another_boot_counts_for_nothing() -> None:
    assert judge(seen("started", exited(1), exited(0)), "01").exits == 0
    asked = exited(2, requested_stop=True)
    assert judge(seen("stopped", asked), "01").health is Health.WAITING


@pytest.mark.parametrize(
    ("end", "why"),
    [
        ({"oom_killed": True, "exit_code": 137}, "ran out of memory"),
        ({"signal": 11, "exit_code": 139}, "signal 11"),
    ],
)
def test_how_it_ended_is_said(end: dict[str, Any], why: str) -> None:
    assert why in judge(seen("stopped", exited(2, **end)), "").why


@pytest.mark.parametrize("output", [REFUSED, "connection refused"])
def test_a_port_nobody_listens_on_is_named(output: str) -> None:
    of_service = CheckStatus(name="servicecheck-00-http-8080", status="critical", output=output)
    assert judge(seen(checks=[of_service]), "").why == "is not listening on 0.0.0.0:8080"
    named = CheckStatus(name="up", status="critical", output=output)
    config = MachineConfig(checks={"up": Check(type="tcp", port=9000)})
    found = judge(seen(checks=[named], config=config), "")
    assert found.why == "is not listening on 0.0.0.0:9000"
    assert "0.0.0.0" in found.hint


def test_of_a_page_only_the_words_are_said() -> None:
    page = "<!DOCTYPE html><style>b {}</style><h1>Bad\n<b class=x>gateway</b></h1>"
    check = CheckStatus(name="up", status="critical", output=f"502 Bad Gateway {page}")
    found = judge(seen(checks=[check]), "")
    assert found.why == "does not pass its checks: 'up' says: 502 Bad Gateway Bad gateway"
    text = CheckStatus(name="up", status="critical", output="a <b> c")
    assert judge(seen(checks=[text]), "").why.endswith("says: a <b> c")


def test_a_check_that_does_not_pass_is_named_with_what_it_says() -> None:
    check = CheckStatus(name="up", status="critical", output="500 Internal Server Error\nsorry")
    found = judge(seen(checks=[check, CheckStatus(name="other", status="passing")]), "")
    assert found.health is Health.WAITING
    assert found.why == "does not pass its checks: 'up' says: 500 Internal Server Error sorry"


def test_checks_have_their_grace_and_a_while() -> None:
    graced = ServiceCheck(type="tcp", grace_period="1m30s")
    config = MachineConfig(services=[Service(internal_port=80, checks=[graced])])
    failing = [CheckStatus(name="servicecheck-00-tcp-80", status="warning")]
    assert judge(seen(checks=failing, config=config), "").checks_s == 90 + CHECKS_S


def test_checks_that_fly_adds_by_itself_are_nothing_to_us() -> None:
    added = CheckStatus(name="bg_deployments_compat", status="critical")
    assert judge(seen(checks=[added]), "").health is Health.WELL
