"""Who attends a machine stops it, kills it, and leaves it, in this order."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any, cast

import pytest

from ephemera.cli.attending import TIMED_OUT, End, LeftAlone, run_to_end
from ephemera.client import AsyncClient
from ephemera.errors import ApiError, BootFailed, NotFound, WaitTimeout, WrongState
from ephemera.wire.models import LogPage, Machine, WaitResult


def exited(**how: Any) -> Machine:
    event = {"type": "exit", "request": {"exit_event": how}}
    return Machine.model_validate({"id": "m1", "state": "stopped", "events": [event]})


class World:
    """An API with one machine, which ends when `ends` says so."""

    def __init__(self, ends: dict[str | None, Machine] | None = None) -> None:
        self.machines = self
        self.logs = self
        self.stops: list[str | None] = []
        self.stopped = asyncio.Event()
        self.destroyed = False
        self.found = exited(exit_code=0)
        #: By the signal of a stop, how the machine is after it.
        self._ends = ends or {}
        self._over = asyncio.Event()

    async def create(self, app: str, **machine: Any) -> Machine:
        return Machine(id="m1")

    async def wait(self, app: str, machine: str, states: Any, **more: Any) -> WaitResult:
        if states != "destroyed":
            await self._over.wait()
        return WaitResult(state="stopped")

    async def page(self, app: str, *, wait: int, **more: Any) -> LogPage:
        if wait:
            await asyncio.Event().wait()
        return LogPage()

    async def stop(self, app: str, machine: str, *, signal: str | None = None, **_: Any) -> None:
        self.stops.append(signal)
        self.stopped.set()
        if signal in self._ends:
            self.found = self._ends[signal]
            self._over.set()

    async def get(self, app: str, machine: str) -> Machine:
        return self.found

    async def destroy(self, app: str, machine: str, *, force: bool) -> None:
        assert force
        self.destroyed = True

    def end(self) -> None:
        self._over.set()

    async def run(self, **more: Any) -> End:
        return await run_to_end(cast("AsyncClient", self), "app", {}, lambda _: None, **more)


async def told(world: World, times: int) -> None:
    """Send ourselves a signal, each time after the one before has had its effect."""
    for _ in range(times):
        await asyncio.sleep(0.01)  # until it is listened to
        seen = world.stopped = asyncio.Event()
        os.kill(os.getpid(), signal.SIGINT)
        if len(world.stops) < 2:
            await seen.wait()


def test_a_program_that_ends_by_itself_is_not_stopped() -> None:
    async def scenario() -> tuple[World, End]:
        world = World()
        world.found = exited(exit_code=7)
        world.end()
        return world, await world.run(remove=True)

    world, end = asyncio.run(scenario())
    assert (end.status, world.stops, world.destroyed) == (7, [], True)


@pytest.mark.parametrize(
    ("how", "status"),
    [
        ({"exit_code": 0, "signal": 15}, 143),
        ({"exit_code": 137, "signal": 9, "oom_killed": True}, 137),
        ({"exit_code": -1, "error": "lost"}, 1),
    ],
)
def test_the_status_says_how_it_ended(how: dict[str, Any], status: int) -> None:
    assert End(exited(**how), is_over_time=False).status == status


def test_the_first_time_it_is_stopped() -> None:
    async def scenario() -> tuple[World, End]:
        world = World({None: exited(exit_code=130, signal=2)})
        run = asyncio.create_task(world.run())
        await told(world, 1)
        return world, await run

    world, end = asyncio.run(scenario())
    assert (end.status, world.stops, world.destroyed) == (130, [None], False)


def test_the_second_time_it_is_killed_and_the_third_time_it_is_left(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def scenario(times: int, world: World) -> End:
        run = asyncio.create_task(world.run(remove=True))
        await told(world, times)
        return await run

    async def killed() -> World:
        world = World({"SIGKILL": exited(exit_code=137, signal=9)})
        assert (await scenario(2, world)).status == 137
        return world

    async def left() -> World:
        world = World()
        with pytest.raises(LeftAlone):
            await scenario(3, world)
        return world

    for world in (asyncio.run(killed()), asyncio.run(left())):
        assert world.stops == [None, "SIGKILL"]
        assert world.destroyed
    assert "killing machine m1" in capsys.readouterr().err


def test_what_takes_too_long_is_stopped_too() -> None:
    async def scenario() -> End:
        return await World({None: exited(exit_code=0)}).run(timeout=0.01)

    assert asyncio.run(scenario()).status == TIMED_OUT


def test_a_machine_that_is_not_up_yet_is_stopped_when_it_is() -> None:
    class Early(World):
        async def stop(self, *words: Any, **how: Any) -> None:
            if not self.stops:
                self.stops.append("early")
                self.stopped.set()
                self.end()
                raise WrongState("it is created", status=412)
            await super().stop(*words, **how)

    async def scenario() -> list[str | None]:
        world = Early({None: exited(exit_code=0)})
        run = asyncio.create_task(world.run())
        await told(world, 1)
        await run
        return world.stops

    assert asyncio.run(scenario())[0] == "early"


@pytest.mark.parametrize("error", [WrongState, NotFound])
def test_one_that_has_ended_just_before_it_is_stopped_has_ended(error: type[ApiError]) -> None:
    class Ended(World):
        async def stop(self, *words: Any, **how: Any) -> None:
            await super().stop(*words, **how)
            raise error("it is gone", status=412)

    async def scenario() -> tuple[World, End]:
        world = Ended({None: exited(exit_code=7)})
        run = asyncio.create_task(world.run(remove=True))
        await told(world, 1)
        return world, await run

    world, end = asyncio.run(scenario())
    assert (end.status, world.stops) == (7, [None])


def test_a_machine_that_never_is_up_is_said_to_be_there_still() -> None:
    class Stuck(World):
        async def stop(self, *words: Any, **how: Any) -> None:
            raise WrongState("it is created", status=412)

        async def wait(self, app: str, machine: str, states: Any, **more: Any) -> WaitResult:
            if "started" in states and "failed" in states:
                raise WaitTimeout("it is created", status=408)
            return await super().wait(app, machine, states, **more)

    async def scenario() -> None:
        await Stuck().run(timeout=0.01)

    with pytest.raises(WaitTimeout) as caught:
        asyncio.run(scenario())
    assert "machine destroy --force m1" in caught.value.hint


def test_what_could_not_be_started_is_an_error_and_removed() -> None:
    async def scenario() -> World:
        world = World()
        failed = {"type": "start", "status": "failed", "request": {"error": "no such image"}}
        world.found = Machine.model_validate({"id": "m1", "state": "failed", "events": [failed]})
        world.end()
        with pytest.raises(BootFailed, match="no such image"):
            await world.run(remove=True)
        return world

    assert asyncio.run(scenario()).destroyed


def test_what_cannot_be_removed_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    class Stuck(World):
        async def destroy(self, *_: Any, **__: Any) -> None:
            raise NotFound("nobody is there", status=404)

    async def scenario() -> End:
        world = Stuck()
        world.end()
        return await world.run(remove=True)

    assert asyncio.run(scenario()).status == 0
    assert "may still be there" in capsys.readouterr().err


def test_signals_mean_afterwards_what_they_meant_before() -> None:
    async def scenario() -> None:
        world = World()
        world.end()
        await world.run()

    before = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGHUP)}
    asyncio.run(scenario())
    assert {one: signal.getsignal(one) for one in before} == before
