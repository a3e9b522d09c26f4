"""Who looks into a machine has a place there, from the moment that it is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from ephemera.errors import BootFailed
from ephemera.platform.drivers.container.visits import Visits
from ephemera.platform.drivers.monitoring.frames import Message
from ephemera.platform.drivers.monitoring.link import LinkLost
from ephemera.platform.drivers.monitoring.monitors import Monitors
from ephemera.platform.drivers.monitoring.terminals import StreamLink

_MACHINE = "a" * 14


class Visit(StreamLink):
    """A link to a monitor that says what a test has it say."""

    def __init__(self) -> None:
        super().__init__(lambda: None)

    def begin(self) -> None:
        """Say that the command was started."""
        self._hear({"say": "data", "data": ""})

    def end(self) -> None:
        """Say that the command has ended."""
        self._hear({"say": "done", "exit_code": 0})

    def close(self) -> None:
        """Be closed at once."""
        self.connection_lost(None)


class Hosts(Monitors):
    """Gives a visit to everybody who asks, unless it was told of an error."""

    def __init__(self) -> None:
        self.visits: list[Visit] = []
        self.error: Exception | None = None

    async def visit(self, request: Message) -> StreamLink:
        if self.error:
            raise self.error
        self.visits.append(Visit())
        return self.visits[-1]


def play(scene: Callable[[Visits, Hosts], Awaitable[None]]) -> None:
    async def whole() -> None:
        hosts = Hosts()
        await scene(Visits(hosts), hosts)

    asyncio.run(whole())


async def _ask(visits: Visits, count: int) -> list[asyncio.Task[object]]:
    async def look() -> object:
        return await visits.look(_MACHINE, {"do": "visit"})

    tasks = [asyncio.create_task(look()) for _ in range(count)]
    await asyncio.sleep(0)
    return tasks


def test_those_who_are_about_to_look_are_counted_too() -> None:
    async def scene(visits: Visits, hosts: Hosts) -> None:
        tasks = await _ask(visits, 5)
        (refused,) = [one for one in tasks if one.done()]
        with pytest.raises(BootFailed, match="4 others look into machine"):
            await refused
        for visit in hosts.visits:
            visit.begin()
        assert len(await asyncio.gather(*(one for one in tasks if one is not refused))) == 4

    play(scene)


def test_whoever_has_ended_or_never_began_leaves_a_place() -> None:
    async def scene(visits: Visits, hosts: Hosts) -> None:
        hosts.error = LinkLost()
        for task in await _ask(visits, 5):
            with pytest.raises(BootFailed, match="whoever was to look was killed"):
                await task
        hosts.error = None
        for _ in range(5):
            (task,) = await _ask(visits, 1)
            hosts.visits[-1].begin()
            await task
            hosts.visits[-1].end()
            await asyncio.sleep(0)
        assert visits._looks == {}

    play(scene)


def test_those_who_look_go_with_the_machine_also_where_they_have_not_begun() -> None:
    async def scene(visits: Visits, hosts: Hosts) -> None:
        first, second = await _ask(visits, 2)
        hosts.visits[0].begin()
        await first
        await visits.send_away(_MACHINE)
        assert hosts.visits[0].done.done()
        hosts.visits[1].begin()
        with pytest.raises(BootFailed, match="was destroyed meanwhile"):
            await second
        assert hosts.visits[1].done.done()
        await visits.send_away(_MACHINE)

    play(scene)
