from __future__ import annotations

from typing import Any

import pytest

from ephemera.cli.findings import Findings
from ephemera.wire.models import Machine, MachineConfig
from ephemera.wire.own import Remains


def findings(
    state: str = "stopped",
    ended: dict[str, Any] | None = None,
    remains: Remains | None = None,
    **config: Any,
) -> Findings:
    events = [{"type": "launch", "status": "created", "source": "user", "timestamp": 1_000}]
    if ended is not None:
        exit_ = {"type": "exit", "status": "stopped", "source": "flyd", "timestamp": 2_000}
        events.insert(0, {**exit_, "request": {"exit_event": ended}})
    machine = Machine.model_validate({"id": "m1", "state": state, "events": events})
    machine.config = MachineConfig.model_validate({"image": "img", **config})
    return Findings("app", machine, list(reversed(machine.events or ())), [], remains)


@pytest.mark.parametrize(
    ("ended", "why"),
    [
        ({"exit_code": 3}, "its program ended with exit code 3"),
        ({"exit_code": 0, "requested_stop": True}, "exit code 0, as it was asked to"),
        ({"exit_code": 137, "signal": 9}, "SIGKILL ended its program"),
        ({"exit_code": 168, "signal": 40}, "signal 40 ended its program"),
        ({"exit_code": 137, "signal": 9, "oom_killed": True}, "ran out of memory of 512 MB"),
        ({"exit_code": -1, "error": "the host was lost"}, "the host was lost"),
    ],
)
def test_one_sentence_says_why_it_ended(ended: dict[str, Any], why: str) -> None:
    found = findings(ended=ended, guest={"memory_mb": 512, "cpus": 1})
    assert found.summary().startswith("machine m1 is stopped: ")
    assert why in found.summary()


def test_one_that_could_not_be_started_says_why() -> None:
    found = findings("failed")
    assert "nobody says why" in found.summary()
    found.events[0].request = {"error": "no such image"}
    assert "it could not be started: no such image" in found.summary()
    found.machine.state = "destroyed"
    assert "it could not be started: no such image" in found.summary()


def test_one_that_runs_has_not_ended() -> None:
    assert findings("started").summary() == "machine m1 is started: its program runs"
    assert findings("created").summary() == "machine m1 is created: it has not run"


def test_values_of_variables_and_files_are_not_shown() -> None:
    file = {"guest_path": "/key", "raw_value": "aHVudGVyMg=="}
    process = {"cmd": ["x"], "env": {"INNER": "hunter3"}}
    labels = {"team": "blue", "build": "7"}
    found = findings(
        env={"PASSWORD": "hunter2"}, files=[file], processes=[process], metadata=labels
    )
    shown = f"{found.as_json()} {found.record()} {found.timeline()}"
    assert "hunter" not in shown
    assert "aHVudGVyMg" not in shown
    record = found.record()
    assert (record["variables"], record["files"]) == ("PASSWORD", "/key")
    assert record["metadata"] == "build=7, team=blue"
    config = found.as_json()["machine"]["config"]
    assert (config["env"], config["files"]) == (["PASSWORD"], ["/key"])
    assert config["processes"][0]["env"] == ["INNER"]


def test_the_timeline_says_when_what_and_why() -> None:
    found = findings(ended={"exit_code": 137, "signal": 9, "oom_killed": True})
    assert found.timeline() == [
        ("1970-01-01T00:00:01Z", "launch", "created", "user", ""),
        (
            "1970-01-01T00:00:02Z",
            "exit",
            "stopped",
            "flyd",
            "exit code 137, SIGKILL, out of memory",
        ),
    ]


def test_what_is_offered_is_what_can_be_had() -> None:
    def offered(state: str, **had: bool) -> list[str]:
        every = {"terminal": False, "look": False, "export": False, **had}
        remains = Remains.model_validate({"driver": "mock", "state": state, **every})
        steps = findings(state, remains=remains).next_steps()
        return [command.split()[2] for _, command in steps if command.split()[1] == "machine"]

    assert offered("started", terminal=True, export=True) == ["shell", "export"]
    assert offered("stopped", look=True, export=True) == ["shell", "export", "destroy"]
    assert offered("failed") == ["destroy"]
    assert findings("stopped").record()["left"] == ""
