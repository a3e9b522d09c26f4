from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ephemera import command
from ephemera.errors import ConfigError
from ephemera.jobs import reports
from ephemera.jobs.attempts import attend
from ephemera.jobs.outcome import Cause
from ephemera.jobs.records import JobRecord, Work
from ephemera.jobs.runtime import runtime
from ephemera.jobs.serving import run_supervisor
from ephemera.jobs.settings import Settings
from ephemera.jobs.states import JobState, Stage
from ephemera.jobs.stores.memory import MemoryStore
from ephemera.jobs.supervisor import Supervisor
from ephemera.testing.clock import FakeClock
from ephemera.wire.ids import new_ulid
from tests.unit.jobs.fake_api import FakeApi

MISSING = "there is no API token for http://api.test"


class Client:
    """The fake API as a client that counts how often it is open."""

    local = True
    opened = 0

    def __init__(self, api: FakeApi) -> None:
        self.__dict__.update(vars(api.client))

    async def __aenter__(self) -> Client:
        Client.opened += 1
        return self

    async def __aexit__(self, *_: object) -> None:
        Client.opened -= 1


class World:
    """A store with one queued job, and a supervisor that may not find its API."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.clock = FakeClock()
        self.api = FakeApi(clock=self.clock)
        self.said: str | None = MISSING
        self.ended: list[str] = []
        work = Work("jobs", "host", command=("true",), start_timeout_s=300)
        self.job_id = new_ulid()
        self.store.add_job(JobRecord(self.job_id, work, self.clock.now()))

    def open_client(self) -> Any:
        if self.said is not None:
            raise ConfigError(self.said, hint="set FLY_API_TOKEN")
        return Client(self.api)

    def supervisor(self, *, patient: bool = True) -> Supervisor:
        settings = Settings(store="")
        return Supervisor(
            self.store,
            settings,
            open_client=self.open_client,
            clock=self.clock,
            ended=self.ended.append,
            patient=patient,
        )

    @property
    def job(self) -> JobRecord:
        found = self.store.job(self.job_id)
        assert found is not None
        return found


def supervise(supervisor: Supervisor, *steps: Callable[[], object]) -> None:
    """Let it look into the store, again after each step, and stop it."""

    async def main() -> None:
        stop = asyncio.Event()
        running = asyncio.create_task(supervisor.run(stop))
        await looked(supervisor, running)
        for step in steps:
            step()
            supervisor.nudge()
            await looked(supervisor, running)
        stop.set()
        await running

    asyncio.run(main())


async def looked(supervisor: Supervisor, running: asyncio.Task[None]) -> None:
    """Return when it has looked and waits, or has ended."""
    looking = asyncio.Event()
    nudge_or_tick = Supervisor._nudge_or_tick

    async def tell(stop: asyncio.Event) -> None:
        looking.set()
        await nudge_or_tick(supervisor, stop)

    supervisor._nudge_or_tick = tell  # type: ignore[method-assign]
    waiting = asyncio.create_task(looking.wait())
    await asyncio.wait({waiting, running}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()


def test_an_impatient_supervisor_ends_with_it_and_gives_the_lease_back() -> None:
    world = World()
    with pytest.raises(ConfigError, match=MISSING):
        asyncio.run(world.supervisor(patient=False).run(asyncio.Event()))
    lease = world.store.lease()
    assert lease is not None
    assert lease.expires_at <= world.clock.now()
    assert world.job.state is JobState.QUEUED


def test_it_is_logged_once_without_a_traceback(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    supervise(world.supervisor(), lambda: None, lambda: None)
    (said,) = [one for one in caplog.records if one.levelno >= logging.WARNING]
    assert said.getMessage() == f"Jobs cannot be given machines: {MISSING} (set FLY_API_TOKEN)"
    assert said.exc_info is None


def test_a_hindered_supervisor_does_not_keep_the_lease_from_another() -> None:
    world = World()

    def is_free() -> None:
        assert world.store.hold_lease("other:1:x", "", now=world.clock.now(), ttl=5)

    supervisor = world.supervisor()
    supervise(supervisor, is_free)
    assert supervisor.hindrance.error is None, "the other one is active"


def test_a_job_waits_until_its_start_timeout_and_then_ends_with_the_reason() -> None:
    world = World()
    states: list[JobState] = []
    steps = (
        lambda: world.clock.advance(299),
        lambda: states.append(world.job.state),
        lambda: world.clock.advance(1),
    )
    supervise(world.supervisor(), *steps)
    assert states == [JobState.QUEUED]
    assert world.job.outcome is not None
    assert world.job.outcome.cause is Cause.BOOT_FAILED
    assert MISSING in world.job.outcome.message
    assert world.ended == [world.job_id]


def test_a_job_that_waited_long_before_gets_its_start_timeout_from_now_on() -> None:
    world = World()
    world.clock.advance(10_000)
    supervise(world.supervisor())
    assert world.job.state is JobState.QUEUED


def test_work_goes_on_when_it_is_over() -> None:
    world = World()

    def mend() -> None:
        world.said = None

    supervisor = world.supervisor()
    supervise(supervisor, mend)
    assert supervisor.hindrance.error is None
    assert world.job.state is not JobState.QUEUED


def test_an_attempt_that_ended_so_is_settled_by_the_next_supervisor() -> None:
    world = World()
    supervise(world.supervisor(), lambda: world.clock.advance(300))
    world.said = None
    (attempt,) = world.store.attempts(world.job_id)
    supervisor = world.supervisor()

    async def main() -> None:
        async with contextlib.AsyncExitStack() as stack:
            context = await supervisor._open(stack)
            await attend(context, attempt.id, nudged=asyncio.Event())

    asyncio.run(main())
    assert world.store.attempts(world.job_id)[0].stage is Stage.GONE
    assert world.api.machines == {}


def test_a_client_is_closed_where_the_listener_cannot_be_had(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    world.said = None
    listening, failures = reports.listening, [OSError("no port"), OSError("no port")]

    def fails_first(*args: Any, **kwargs: Any) -> Any:
        if failures:
            raise failures.pop()
        return listening(*args, **kwargs)

    monkeypatch.setattr("ephemera.jobs.reaching.listening", fails_first)
    opened: list[int] = []
    supervise(world.supervisor(), *[lambda: opened.append(Client.opened)] * 3)
    assert opened == [0, 0, 1]
    assert Client.opened == 0


@pytest.fixture
def misled(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The job layer of this process, with an address and no token."""
    monkeypatch.delenv("FLY_API_TOKEN", raising=False)
    monkeypatch.delenv("EPHEMERA_SUPERVISE", raising=False)
    monkeypatch.setenv("FLY_FLAPS_BASE_URL", "http://api.test")
    runtime.reset()
    runtime.configure(store=MemoryStore(), changes={})
    yield
    runtime.reset()


@pytest.mark.usefixtures("misled")
def test_whoever_waits_is_told_and_the_job_stays() -> None:
    job = command(["true"]).enqueue()
    with pytest.raises(ConfigError, match=MISSING):
        job.result(timeout=30)
    with pytest.raises(ConfigError, match=MISSING):
        asyncio.run(job.async_result(timeout=30))
    assert job.refresh().state is JobState.QUEUED


@pytest.mark.usefixtures("misled")
def test_a_supervisor_by_itself_ends_with_it() -> None:
    with pytest.raises(ConfigError, match=MISSING):
        asyncio.run(run_supervisor(asyncio.Event()))
