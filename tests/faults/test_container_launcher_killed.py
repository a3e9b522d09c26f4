"""Whoever is on the way into a machine is killed or stopped: nothing is left or waits for ever.

A process waits in each spare until it is told to become a program; others come by exec. Where one
is to be met on its way, the machine's cgroup is frozen, so that it comes no further than that.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from ephemera.errors import BootFailed
from ephemera.platform.drivers.base import Executed
from ephemera.platform.drivers.container.driver import ContainerDriver
from tests import needs
from tests.container_world import World, forked_by, kill, leaving_nothing, quiet, until, zygote_of

pytestmark = [
    pytest.mark.faults,
    pytest.mark.root,
    pytest.mark.crun,
    pytest.mark.timeout(300),
    needs.root,
    needs.nft,
]

_SLEEPS = ("sleep", "1000")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with leaving_nothing(tmp_path / "home") as world:
        yield world


@pytest.fixture(autouse=True)
def by_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the platform start programs itself, or fail where it cannot."""
    monkeypatch.setenv("EPHEMERA_RUNTIME", "own")


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _on_their_way(world: World) -> set[int]:
    """Return the processes in machines to be that are on their way to being programs."""
    callers = (pid for pid in world.traces.processes() if _name(pid) == "caller")
    return {pid for pid in callers if _is_inside(pid)}


def _is_inside(pid: int) -> bool:
    """Whether a process has a number in a machine, too."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return len(status.partition("NSpid:")[2].partition("\n")[0].split()) > 1


async def _waiting(world: World) -> set[int]:
    """Return those that wait in spares, of which there are some before long."""
    found: set[int] = set()

    def is_any() -> bool:
        found.update(_on_their_way(world))
        return bool(found)

    await until(is_any)
    return found


async def _runs(driver: ContainerDriver, handle: str) -> None:
    """Check that a machine is well."""
    assert [one.command for one in await driver.ps(handle)] == ["sleep 1000"]
    assert (await driver.exec(handle, ["sh", "-c", "exit 4"], timeout=30)).exit_code == 4


class TestOneThatWaits:
    def test_and_is_killed_is_replaced(self, world: World) -> None:
        async def check() -> None:
            async with world.driver() as driver:
                kill(*await _waiting(world))
                await _runs(driver, await driver.start(world.spec(*_SLEEPS), quiet))

        asyncio.run(check())

    def test_ends_with_its_spare_and_with_its_platform(self, world: World) -> None:
        async def check() -> None:
            async with world.driver() as driver:
                waiting = await _waiting(world)
                kill(zygote_of(driver), *forked_by(zygote_of(driver)))
                await until(lambda: not waiting & _on_their_way(world))
                await _runs(driver, await driver.start(world.spec(*_SLEEPS), quiet))
                waiting = await _waiting(world)
            await until(lambda: not waiting & _on_their_way(world))

        asyncio.run(check())


#: What is killed while a program is on its way, and how the machine ends then, if it starts: it
#: does not where that was early, or starts by another process.
Killed = Callable[[World, str], None]
_KILLED: dict[str, tuple[Killed, int]] = {
    "itself": (lambda world, name: kill(*_children(world.monitor(name), "caller")), 137),
    "its first process": (lambda world, name: kill(world.init(name)), 137),
    "its monitor": (lambda world, name: kill(world.monitor(name)), -1),
}


class TestAMainProgram:
    async def _stopped(self, world: World, driver: ContainerDriver, name: str) -> asyncio.Task[str]:
        """Begin a start that comes no further: whoever waits is stopped."""
        self.stopped = await _waiting(world)
        for pid in self.stopped:
            with suppress(ProcessLookupError):  # of the machine before, which has just ended
                os.kill(pid, signal.SIGSTOP)
        spec = world.spec(*_SLEEPS, machine_id=name)
        starting = asyncio.ensure_future(driver.start(spec, quiet))
        await until(lambda: _is_begun(world, name))
        return starting

    def test_that_is_stopped_ends_with_whatever_is_killed(self, world: World) -> None:
        async def check() -> None:
            async with world.driver() as driver:
                for number, (killed, code) in enumerate(_KILLED.values()):
                    name = f"m{number}"
                    starting = await self._stopped(world, driver, name)
                    killed(world, name)
                    assert await _ended(driver, starting, name) in (None, code)
                    _let_go_on(self.stopped)
                again = world.spec("sh", "-c", "exit 6", machine_id="again")
                assert (await world.ended(driver, again)).exit_code == 6

        asyncio.run(check())

    def test_that_is_stopped_goes_on_when_it_is_let(self, world: World) -> None:
        async def check() -> None:
            async with world.driver() as driver:
                starting = await self._stopped(world, driver, "m1")
                kill(zygote_of(driver))
                _let_go_on(self.stopped)
                await _runs(driver, await starting)

        asyncio.run(check())


def _let_go_on(stopped: set[int]) -> None:
    """Let processes go on, those excepted that have ended since."""
    for pid in stopped:
        if _name(pid) == "caller":
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def _is_begun(world: World, name: str) -> bool:
    """Whether the boot is written down."""
    try:
        return world.init(name) > 0
    except AssertionError:
        return False


async def _ended(driver: ContainerDriver, starting: asyncio.Task[str], name: str) -> int | None:
    """Return how a machine ends that is killed at last; None where it did not start."""
    try:
        handle = await starting
    except BootFailed:
        return None
    assert handle == f"{name}/1"
    await driver.signal(handle, signal.SIGKILL)
    return (await driver.wait(handle)).exit_code


def _freeze(world: World, *, frozen: bool) -> None:
    """Freeze the processes of a machine, by either version of cgroups."""
    for folder in map(Path, world.traces.cgroups()):
        if folder.name.startswith(f"{world.init()}-"):
            first, second = folder / "freezer.state", folder / "cgroup.freeze"
            if first.exists():
                first.write_text("FROZEN" if frozen else "THAWED")
            elif second.exists():
                second.write_text("1" if frozen else "0")


class TestAnotherProgram:
    async def _met(
        self, world: World, driver: ContainerDriver, handle: str
    ) -> asyncio.Task[object]:
        """Begin an exec that comes as far as into the machine's cgroup."""
        _freeze(world, frozen=True)
        running = asyncio.ensure_future(driver.exec(handle, ["sleep", "999"], timeout=20))
        monitor = world.monitor()
        await until(lambda: bool(_children(monitor, "caller")), world.traces.seen)
        self.met = _children(monitor, "caller")
        return running

    def test_that_is_killed_is_a_clear_error_and_so_is_an_end_of_the_machine(
        self, world: World
    ) -> None:
        async def check() -> None:
            async with world.driver() as driver:
                handle = await driver.start(world.spec(*_SLEEPS), quiet)
                running = await self._met(world, driver, handle)
                kill(*self.met)
                _freeze(world, frozen=False)
                with pytest.raises(BootFailed, match="killed"):
                    await running
                await _runs(driver, handle)
                running = await self._met(world, driver, handle)
                kill(world.init())
                _freeze(world, frozen=False)
                # it may have become a program by the time all of the machine is dead
                (done,) = await asyncio.gather(running, return_exceptions=True)
                assert isinstance(done, BootFailed) or _is_killed(done)
                assert (await driver.wait(handle)).exit_code == 137

        asyncio.run(check())

    def test_whose_monitor_is_killed_ends_with_the_machine(self, world: World) -> None:
        async def check() -> None:
            async with world.driver() as driver:
                handle = await driver.start(world.spec(*_SLEEPS), quiet)
                running = await self._met(world, driver, handle)
                kill(world.monitor())
                with pytest.raises(BootFailed):
                    await running
                assert (await driver.wait(handle)).exit_code == -1

        asyncio.run(check())


def _is_killed(done: object) -> bool:
    return isinstance(done, Executed) and done.exit_signal == signal.SIGKILL


def _children(parent: int, name: str) -> set[int]:
    return {pid for pid in forked_by(parent) if _name(pid) == name}


#: Stops every process that comes into its machine, as soon as it sees it.
_STOPS = """
import os, signal
known = set(os.listdir("/proc"))
print("ready", flush=True)
while True:
    for one in set(os.listdir("/proc")) - known:
        try:
            os.kill(int(one), signal.SIGSTOP)
        except (ValueError, OSError):
            pass
"""
#: Folders that are not there, which it takes a while to find out.
_PATH = ":".join(f"/none/{number}" for number in range(600))


def test_one_that_the_machine_stops_keeps_nobody_from_the_machine(world: World) -> None:
    """Wherever it is stopped: on its way, which is given up after a while, or as a program."""

    async def check() -> None:
        async with world.driver() as driver:
            command = (sys.executable, "-I", "-S", "-c", _STOPS)
            env = {"PATH": f"{_PATH}:/usr/bin:/bin"}
            handle = await driver.start(world.spec(*command, env=env), quiet)
            await world.printed("ready")
            exec_ = driver.exec(handle, ["sleep", "1000"], timeout=2)
            (done,) = await asyncio.gather(exec_, return_exceptions=True)
            if isinstance(done, BootFailed):
                assert re.search("stopped who came|not executed after", str(done))
            else:
                assert isinstance(done, Executed)
                assert done.exit_code != 0
            assert any("-c" in one.command for one in await driver.ps(handle))
            await driver.signal(handle, signal.SIGKILL)
            assert (await driver.wait(handle)).exit_code == 137

    asyncio.run(check())
