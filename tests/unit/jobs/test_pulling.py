from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from ephemera.errors import NoAnswer, WaitTimeout, WrongState
from ephemera.jobs.context import Context
from ephemera.jobs.outcome import Report
from ephemera.jobs.pulling import must_pull, pull_reports
from ephemera.jobs.records import AttemptRecord, JobRecord, TaskRef, Work
from ephemera.jobs.settings import Settings
from ephemera.jobs.stores.memory import MemoryStore
from ephemera.wire.ids import new_ulid
from ephemera.wire.models import ExecResult
from tests.unit.jobs.fake_api import FakeApi

WORK = Work("jobs", "alpine", task=TaskRef("shop", "bill"))
PULL = ["python3", "/.ephemera/runner.py", "--pull", "/.ephemera/payload.json", "15"]


class OverNow(Exception):
    """The machine has ended: whoever pulls is cancelled."""


class World:
    def __init__(self) -> None:
        self.api = FakeApi()
        self.store = MemoryStore()
        self.commands: list[Sequence[str]] = []
        self.context = Context(
            store=self.store,
            client=self.api.client,
            clock=self.api.clock,
            settings=Settings(store=""),
            listener_url="http://127.0.0.1:9",
            pushes=False,
            makes_apps=False,
            ended=lambda _: None,
            making=asyncio.Semaphore(),
        )
        job = JobRecord(new_ulid(), WORK, 1.0)
        self.attempt = AttemptRecord(new_ulid(), job.id, 1, "jobs", "m", "", 1.0, machine_id="m1")
        self.store.add_job(job)
        self.store.claim(job, self.attempt)

    def pull(self, *answers: ExecResult | Exception) -> None:
        """Pull from a machine that gives these answers and then ends."""
        left = [*answers, OverNow()]

        async def exec_(_: str, __: str, command: Sequence[str], *, timeout: float) -> ExecResult:
            self.commands.append(command)
            answer = left.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        client: Any = self.context.client
        client.machines.exec = exec_
        with pytest.raises(OverNow):
            asyncio.run(pull_reports(self.context, self.attempt, WORK))

    @property
    def report(self) -> Report | None:
        found = self.store.attempt(self.attempt.id)
        assert found is not None
        return found.report


def printed(**reports: object) -> ExecResult:
    lines = [f"{name} {json.dumps(report)}" for name, report in reports.items()]
    return ExecResult(exit_code=0, stdout="".join(f"{line}\n" for line in lines))


def test_a_report_is_stored_and_then_acknowledged() -> None:
    world = World()
    world.pull(printed(started={"kind": "started"}, last={"kind": "result", "value": 3}))
    assert world.report == Report("result", value=3)
    assert world.commands == [PULL, [*PULL, "started", "last"]]


def test_a_report_that_could_not_be_stored_is_not_acknowledged() -> None:
    world = World()
    world.pull(printed(last={"kind": "party"}))
    assert world.commands == [PULL, PULL]
    assert world.report is None
    assert world.api.clock.slept == [0.2], "nor is it asked for again without a pause"


@pytest.mark.parametrize(
    "trouble",
    [
        WrongState("not started", status=412),
        WaitTimeout("too long", status=408),
        NoAnswer("lost"),
        ExecResult(exit_code=1, stderr="no such file"),
    ],
)
def test_a_machine_that_cannot_answer_yet_is_asked_again(trouble: Any) -> None:
    world = World()
    world.pull(trouble, trouble, printed(last={"kind": "result", "value": 3}))
    assert world.report == Report("result", value=3)
    assert world.api.clock.slept == [0.2, 0.4]


def test_an_acknowledgement_that_got_lost_is_repeated() -> None:
    world = World()
    last = printed(last={"kind": "result", "value": 3})
    world.pull(last, NoAnswer("lost"), printed())
    assert world.commands[1:3] == [[*PULL, "last"], [*PULL, "last"]]


def test_what_is_pushed_to_our_own_listener_is_not_pulled() -> None:
    world = World()
    pushed = replace(world.attempt, report_url="http://127.0.0.1:9/reports/s/a")
    elsewhere = replace(world.attempt, report_url="http://127.0.0.1:99/reports/s/a")
    assert not must_pull(world.context, pushed, WORK)
    assert must_pull(world.context, elsewhere, WORK)
    assert must_pull(world.context, world.attempt, WORK)


def test_a_command_reports_nothing() -> None:
    world = World()
    work = Work("jobs", "alpine", command=("true",))
    assert not must_pull(world.context, world.attempt, work)
