from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx2
import pytest

from ephemera.jobs import reports
from ephemera.jobs.outcome import Ending, Outcome, Report, decide
from ephemera.jobs.records import AttemptRecord, JobRecord, Work
from ephemera.jobs.reports import REPORT_MAX_BYTES, listening, read_report, report_app
from ephemera.jobs.states import StageEvent
from ephemera.jobs.stores.memory import MemoryStore
from ephemera.jobs.tokens import attempt_token
from ephemera.testing.clock import FakeClock
from ephemera.wire.ids import new_ulid
from tests.ports import free_port

RESULT = {"kind": "result", "value": 3}


class World:
    def __init__(self) -> None:
        self.store = MemoryStore()
        self.pokes: list[int] = []
        self.app = report_app(self.store, FakeClock(7.0), lambda: self.pokes.append(1))
        self.attempt = self._claim()
        self.token = attempt_token(self.store.identity().secret, self.attempt.id)
        self.path = f"/reports/{self.store.identity().id}/{self.attempt.id}"

    def _claim(self) -> AttemptRecord:
        job = JobRecord(new_ulid(), Work("jobs", "host", command=("true",)), 1.0)
        attempt = AttemptRecord(new_ulid(), job.id, 1, "jobs", "m", "", 1.0)
        self.store.add_job(job)
        self.store.claim(job, attempt)
        return attempt

    def post(self, body: object = RESULT, **changes: Any) -> int:
        path, token = changes.get("path", self.path), changes.get("token", self.token)
        content = body if isinstance(body, bytes) else json.dumps(body).encode()

        async def main() -> int:
            transport = httpx2.ASGITransport(app=self.app)
            async with httpx2.AsyncClient(transport=transport, base_url="http://x") as http:
                headers = {b"Authorization": f"Bearer {token}".encode()} if token else {}
                answer = await http.post(path, content=content, headers=headers)
                return answer.status_code

        return asyncio.run(main())

    def finish(self) -> None:
        attempt = self.store.move(self.attempt, StageEvent.MADE, machine_id="m1")
        ending = Ending("exited", exit_code=0)
        attempt = self.store.move(attempt, StageEvent.EXIT_SEEN, ending=ending)
        outcome: Outcome = decide(ending, None, None, is_task=False)
        self.store.finish(attempt, outcome, at=9.0)

    @property
    def report(self) -> Report | None:
        found = self.store.attempt(self.attempt.id)
        assert found is not None
        return found.report


def test_a_report_with_the_right_token_is_stored() -> None:
    world = World()
    assert world.post() == 204
    assert world.report == Report("result", value=3)


def test_repeating_a_report_is_safe_and_the_first_one_stays() -> None:
    world = World()
    assert [world.post(), world.post(), world.post({"kind": "result", "value": 4})] == [204] * 3
    assert world.report == Report("result", value=3)


@pytest.mark.parametrize("token", ["", "wrong", "ü"])
def test_a_wrong_token_is_refused(token: str) -> None:
    world = World()
    assert world.post(token=token) == 401
    assert world.report is None


def test_another_attempts_token_is_refused() -> None:
    world = World()
    other = attempt_token(world.store.identity().secret, new_ulid())
    assert world.post(token=other) == 401


def test_another_stores_report_is_not_refused_for_good() -> None:
    world = World()
    assert world.post(path=f"/reports/{new_ulid()}/{world.attempt.id}") == 404


def test_a_report_after_the_outcome_is_too_late() -> None:
    world = World()
    world.finish()
    assert world.post() == 410


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff",
        [],
        {"kind": "party"},
        {"kind": "error", "message": 1},
        {"kind": "error", "interrupted": "x"},
    ],
)
def test_what_is_no_report_is_refused(body: object) -> None:
    world = World()
    assert world.post(body) == 400
    assert world.report is None


def test_a_report_that_is_too_large_is_refused() -> None:
    assert World().post(b"x" * (REPORT_MAX_BYTES + 1)) == 413


def test_a_sign_of_life_is_noted() -> None:
    world = World()
    assert world.post({"kind": "started"}) == 204
    found = world.store.attempt(world.attempt.id)
    assert found is not None
    assert (found.spoke_at, found.report) == (7.0, None)


def test_a_poke_wakes_the_supervisor() -> None:
    world = World()
    assert world.post(path="/poke") == 204
    assert world.pokes == [1]


def test_an_exit_keeps_its_code_and_what_it_had_been_told() -> None:
    body = json.dumps({"kind": "exit", "exit_code": 143, "interrupted": "stop"})
    assert read_report(body) == Report("exit", exit_code=143, interrupted="stop")


def test_the_listener_takes_another_port_where_its_own_is_taken() -> None:
    app = World().app

    async def main() -> tuple[str, str, str]:
        port = free_port()
        async with listening(app, port=port) as first, listening(app, port=port) as second:
            pass
        async with listening(app, port=port) as again:
            return first, second, again

    first, second, again = asyncio.run(main())
    assert first != second
    assert first == again


def test_of_two_that_come_at_once_only_one_has_the_port() -> None:
    port = free_port()
    with reports._bind("127.0.0.1", port) as first, reports._bind("127.0.0.1", port) as second:
        assert first.getsockname()[1] == port
        assert second.getsockname()[1] != port


def test_an_address_of_another_computer_is_an_error_whatever_the_port() -> None:
    for port in (0, free_port()):
        with pytest.raises(OSError, match="assign requested address"):
            reports._bind("192.0.2.1", port)
