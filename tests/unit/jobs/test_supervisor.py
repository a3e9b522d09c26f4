from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import threading
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from ephemera.errors import StoreError
from ephemera.jobs.endings import Endings
from ephemera.jobs.records import AttemptRecord, JobRecord, TaskRef, Work
from ephemera.jobs.settings import Settings
from ephemera.jobs.states import JobState, Stage
from ephemera.jobs.stores.memory import MemoryStore
from ephemera.jobs.supervisor import Supervisor
from ephemera.jobs.tenure import LEASE_TTL_S
from ephemera.testing.clock import FakeClock
from ephemera.wire.ids import new_ulid
from tests.unit.jobs.fake_api import FakeApi


class FakeClient:
    """The fake API as an async context manager, like the real client."""

    local = True

    def __init__(self, api: FakeApi) -> None:
        self.__dict__.update(vars(api.client))

    async def __aenter__(self) -> FakeClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Have nothing to close."""


class World:
    def __init__(self) -> None:
        self.store = MemoryStore()
        self.clock = FakeClock()
        self.api = FakeApi(clock=self.clock)
        self.ended = asyncio.Event()

    def enqueue(self) -> JobRecord:
        job = JobRecord(new_ulid(), Work("jobs", "host", command=("true",)), self.clock.now())
        self.store.add_job(job)
        return job

    def supervisor(
        self, ended: Callable[[str], object] | None = None, concurrency: int | None = None
    ) -> Supervisor:
        def tell(job_id: str) -> None:
            self.ended.set()
            if ended is not None:
                ended(job_id)

        open_client: Any = lambda: FakeClient(self.api)  # noqa: E731 - shorter than its name
        return Supervisor(
            self.store,
            Settings(store="", concurrency=concurrency),
            open_client=open_client,
            clock=self.clock,
            ended=tell,
        )

    async def run_until_ended(self, supervisor: Supervisor) -> None:
        stop = asyncio.Event()
        running = asyncio.create_task(supervisor.run(stop))
        await self.ended.wait()
        stop.set()
        await running


def test_a_queued_job_is_given_a_machine_and_brought_to_its_end() -> None:
    world = World()
    job = world.enqueue()
    asyncio.run(world.run_until_ended(world.supervisor()))
    ended = world.store.job(job.id)
    assert ended is not None
    assert ended.state is JobState.ENDED
    assert len(world.api.machines) == 1


def test_an_attempt_of_an_earlier_supervisor_is_taken_up() -> None:
    world = World()
    job = world.enqueue()
    attempt = AttemptRecord(new_ulid(), job.id, 1, "jobs", "m", "", world.clock.now())
    world.store.claim(job, attempt)
    asyncio.run(world.run_until_ended(world.supervisor()))
    assert [one.id for one in world.store.attempts(job.id)] == [attempt.id]


@pytest.mark.parametrize(
    ("error", "is_traced"), [(StoreError("it is locked"), False), (KeyError("our own"), True)]
)
def test_an_error_of_the_store_is_outlived_and_traced_only_if_it_is_unforeseen(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    is_traced: bool,
) -> None:
    world = World()
    queued, errors = world.store.queued, [error]

    def read(*, limit: int) -> list[JobRecord]:
        if errors:
            raise errors.pop()
        return queued(limit=limit)

    monkeypatch.setattr(world.store, "queued", read)
    world.enqueue()
    asyncio.run(world.run_until_ended(world.supervisor()))
    said = next(one for one in caplog.records if "goes on" in one.getMessage())
    assert str(error) in said.getMessage()
    assert (said.exc_info is not None) == is_traced


def states_at_each_end(world: World, *, concurrency: int) -> list[list[JobState]]:
    """Supervise until all jobs have ended, and return which states they were in at each end."""
    seen: list[list[JobState]] = []

    async def main() -> None:
        stop = asyncio.Event()

        def ended(_: str) -> None:
            seen.append([job.state for job in reversed(world.store.jobs())])
            if set(seen[-1]) == {JobState.ENDED}:
                stop.set()

        await world.supervisor(ended, concurrency).run(stop)

    asyncio.run(main())
    return seen


def test_no_more_jobs_have_a_machine_than_may_at_once_and_all_get_one() -> None:
    world = World()
    for _ in range(7):
        world.enqueue()
    seen = states_at_each_end(world, concurrency=2)
    assert len(seen) == 7
    assert max(states.count(JobState.RUNNING) for states in seen) == 1, "beside the one that ended"


def test_jobs_of_an_earlier_supervisor_count_among_those_at_once() -> None:
    world = World()
    early, _late = world.enqueue(), world.enqueue()
    attempt = AttemptRecord(new_ulid(), early.id, 1, "jobs", "m", "", world.clock.now())
    world.store.claim(early, attempt)
    assert states_at_each_end(world, concurrency=1) == [
        [JobState.ENDED, JobState.QUEUED],
        [JobState.ENDED, JobState.ENDED],
    ]


def test_the_lease_is_given_back_at_the_end() -> None:
    world = World()
    world.enqueue()
    asyncio.run(world.run_until_ended(world.supervisor()))
    lease = world.store.lease()
    assert lease is not None
    assert lease.expires_at <= world.clock.now()


def test_a_second_supervisor_stands_by() -> None:
    world = World()
    world.store.hold_lease("elsewhere:1:x", "", now=world.clock.now(), ttl=LEASE_TTL_S)
    job = world.enqueue()

    async def main() -> None:
        supervisor, stop = world.supervisor(), asyncio.Event()
        running = asyncio.create_task(supervisor.run(stop))
        await asyncio.sleep(0)
        assert world.store.attempts(job.id) == []
        world.clock.advance(LEASE_TTL_S)
        supervisor.nudge()
        await world.ended.wait()
        stop.set()
        await running

    asyncio.run(main())


def test_the_lease_of_a_process_that_was_killed_here_is_not_waited_for() -> None:
    killed = subprocess.Popen(["true"])
    killed.wait()
    world = World()
    holder = f"{socket.gethostname()}:{killed.pid}:x"
    world.store.hold_lease(holder, "", now=world.clock.now(), ttl=1e6)
    world.enqueue()
    asyncio.run(world.run_until_ended(world.supervisor()))


def test_the_lease_of_a_process_that_lives_is_respected() -> None:
    world = World()
    holder = f"{socket.gethostname()}:{os.getpid()}:x"
    world.store.hold_lease(holder, "", now=world.clock.now(), ttl=1e6)
    supervisor = world.supervisor()
    assert not supervisor._is_active()


def test_a_trouble_with_the_store_does_not_end_the_supervisor() -> None:
    world = World()
    world.enqueue()
    queued, failures = world.store.queued, [OSError("disk full")]

    def fails_once(*, limit: int) -> list[JobRecord]:
        if failures:
            raise failures.pop()
        return queued(limit=limit)

    world.store.queued = fails_once  # type: ignore[method-assign]

    async def main() -> None:
        supervisor = world.supervisor()
        nudging = asyncio.create_task(nudge_until(supervisor, world.ended))
        await world.run_until_ended(supervisor)
        await nudging

    asyncio.run(main())


async def nudge_until(supervisor: Supervisor, ended: asyncio.Event) -> None:
    while not ended.is_set():
        supervisor.nudge()
        await asyncio.sleep(0.01)


def test_a_poke_starts_a_job_at_once() -> None:
    world = World()
    world.enqueue()

    async def main() -> None:
        stop = asyncio.Event()
        running = asyncio.create_task(world.supervisor().run(stop))
        await world.ended.wait()
        world.ended.clear()
        lease = world.store.lease()
        assert lease is not None
        world.enqueue()
        async with httpx2.AsyncClient(trust_env=False) as http:
            answer = await http.post(f"{lease.url}/poke")
        assert answer.status_code == 204
        await world.ended.wait()
        stop.set()
        await running

    asyncio.run(main())
    assert len(world.api.machines) == 2


def test_reports_are_pushed_to_the_listener_where_the_api_is_on_this_computer() -> None:
    world = World()
    job = world.enqueue()
    asyncio.run(world.run_until_ended(world.supervisor()))
    attempt = world.store.attempts(job.id)[0]
    lease = world.store.lease()
    assert lease is not None
    assert attempt.report_url == f"{lease.url}/reports/{world.store.identity().id}/{attempt.id}"


def test_the_reports_of_a_task_are_fetched_where_its_listener_was_another() -> None:
    world = World()
    work = Work("jobs", "host", task=TaskRef("m", "f"))
    job = JobRecord(new_ulid(), work, world.clock.now())
    world.store.add_job(job)
    url = "http://127.0.0.1:1/reports/s/a"
    attempt = AttemptRecord(new_ulid(), job.id, 1, "jobs", "m", url, world.clock.now())
    world.store.claim(job, attempt)
    asyncio.run(world.run_until_ended(world.supervisor()))
    assert "exec" in world.api.calls


def test_a_cancelled_job_is_stopped_at_the_next_look() -> None:
    world = World()
    world.api.runs_for_s = 1e9
    job = world.enqueue()
    world.api.meanwhile = lambda: world.store.cancel(job.id, at=1.0)
    asyncio.run(world.run_until_ended(world.supervisor()))
    assert world.store.attempts(job.id)[0].stage in (Stage.ENDED, Stage.KEPT)
    assert "stop" in world.api.calls


def test_whoever_waits_for_a_job_is_told_once_and_nobody_else() -> None:
    endings, ended, other = Endings(), threading.Event(), threading.Event()
    with endings.watching("a", ended.set), endings.watching("b", other.set):
        endings.ended("a")
        assert ended.is_set()
        assert not other.is_set()
    ended.clear()
    endings.ended("a")
    assert not ended.is_set()


def test_nobody_is_told_who_waits_no_longer() -> None:
    endings, leave, left, late = Endings(), threading.Event(), threading.Event(), list[bool]()

    def wait() -> None:
        with endings.watching("a", lambda: late.append(left.is_set())):
            inside.set()
            leave.wait()
        left.set()

    def have_the_other_leave() -> None:
        leave.set()
        left.wait(0.2)  # in vain: he is told first

    inside, waits = threading.Event(), threading.Thread(target=wait)
    with endings.watching("a", have_the_other_leave):
        waits.start()
        inside.wait()
        endings.ended("a")
    waits.join()
    assert late == [False]


def test_no_platform_is_asked_before_there_is_work() -> None:
    world = World()

    async def main() -> None:
        supervisor = world.supervisor()
        stop = asyncio.Event()
        running = asyncio.create_task(supervisor.run(stop))
        await asyncio.sleep(0.05)
        assert "reach" not in world.api.calls
        world.enqueue()
        supervisor.nudge()
        await world.ended.wait()
        stop.set()
        await running
        assert world.api.calls.count("reach") == 1

    asyncio.run(main())


def test_a_job_whose_machine_cannot_call_back_is_told_no_address() -> None:
    world = World()
    world.api.reached_at = "192.0.2.77"
    job = world.enqueue()
    asyncio.run(world.run_until_ended(world.supervisor()))
    assert [one.report_url for one in world.store.attempts(job.id)] == [""]
