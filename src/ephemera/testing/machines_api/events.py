"""What a machine tells of its life, and how often it is started again."""

from __future__ import annotations

import time
from typing import Any

import pytest

from ephemera.testing.machines_api.subject import AppUnderTest, Contract, refused

_HOUR_MS = 3_600_000


def _steps(events: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """Return type, status and source of each, oldest first."""
    return [(one["type"], one["status"], one["source"]) for one in reversed(events)]


class EventsContract(Contract):
    """The events of a machine, alone and as part of it."""

    def test_a_life_is_told_in_order(self, app: AppUnderTest) -> None:
        machine = app.running()
        app.post(f"/machines/{machine}/stop")
        app.reaches(machine, "stopped")
        told = _steps(app.get(f"/machines/{machine}/events"))
        life = [
            ("launch", "created", "user"),
            ("start", "started", "flyd"),
            ("stop", "stopping", "user"),
            ("exit", "stopped", "flyd"),
        ]
        assert [step for step in told if step in life] == life

    def test_events_are_the_same_alone_and_in_the_machine(self, app: AppUnderTest) -> None:
        machine = app.ended()
        assert app.get(f"/machines/{machine}/events") == app.get(f"/machines/{machine}")["events"]

    def test_events_are_newest_first_by_time_and_by_id(self, app: AppUnderTest) -> None:
        events = app.get(f"/machines/{app.ended()}/events")
        stamps = [event["timestamp"] for event in events]
        ids = [event["id"] for event in events]
        assert stamps == sorted(stamps, reverse=True)
        assert ids == sorted(set(ids), reverse=True)
        assert abs(stamps[0] - time.time() * 1000) < _HOUR_MS, "milliseconds since 1970"

    @pytest.mark.parametrize("limit", [1, 2])
    def test_a_limit_keeps_the_newest(self, app: AppUnderTest, limit: int) -> None:
        machine = app.ended()
        events = app.get(f"/machines/{machine}/events")
        assert app.get(f"/machines/{machine}/events?limit={limit}") == events[:limit]

    def test_a_limit_of_more_than_fifty_is_cut_or_refused(self, app: AppUnderTest) -> None:
        answer = app.ask("GET", f"/machines/{app.ended()}/events?limit=51")
        assert answer.is_success or refused(answer, 400)

    @pytest.mark.parametrize("limit", ["many", "-1", "1.5"])
    def test_a_limit_that_is_no_count_is_refused(self, app: AppUnderTest, limit: str) -> None:
        refused(app.ask("GET", f"/machines/{app.ended()}/events?limit={limit}"), 400)

    @pytest.mark.parametrize("code", [0, 1, 77, 255])
    def test_an_exit_tells_its_code(self, app: AppUnderTest, code: int) -> None:
        ended = app.exit_of(app.ended(code))
        assert ended.get("exit_code", 0) == code
        assert ended["signal"] == -1
        assert ended["requested_stop"] is False
        assert ended["restarting"] is False
        assert ended["oom_killed"] is False
        assert ended["exited_at"]


class RestartPolicyContract(Contract):
    """What becomes of a machine whose program ended by itself."""

    def _starts(self, app: AppUnderTest, machine: str) -> int:
        events = app.get(f"/machines/{machine}/events?limit=50")
        return sum((one["type"], one["status"]) == ("start", "started") for one in events)

    @pytest.mark.parametrize(
        ("restart", "code", "starts"),
        [
            ({"policy": "no"}, 1, 1),
            ({"policy": "on-failure", "max_retries": 2}, 0, 1),
            ({"policy": "on-failure", "max_retries": 2}, 1, 3),
        ],
    )
    def test_a_program_is_run_as_often_as_the_policy_says(
        self, app: AppUnderTest, restart: dict[str, Any], code: int, starts: int
    ) -> None:
        machine = app.create(app.subject.programs.exits(code), restart=restart)["id"]
        app.reaches(machine, "stopped")
        assert self._starts(app, machine) == starts
        ended = app.exit_of(machine)
        assert (ended.get("exit_code", 0), ended["restarting"]) == (code, False)

    def test_a_stop_ends_even_what_is_always_restarted(self, app: AppUnderTest) -> None:
        machine = app.running(restart={"policy": "always"})
        app.post(f"/machines/{machine}/stop")
        app.reaches(machine, "stopped")
        ended = app.exit_of(machine)
        assert (ended["requested_stop"], ended["restarting"]) == (True, False)
        assert self._starts(app, machine) == 1
