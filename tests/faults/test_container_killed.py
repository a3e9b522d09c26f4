"""Whatever is killed of a platform with containers: no exit is lost, nothing doubled or left.

After each test a platform is started once more on the same folder and closed; then there must be
no cgroup, link, mount or process of it on this computer.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from ephemera.errors import BootFailed
from ephemera.platform.drivers.base import BootSpec, Exit
from ephemera.platform.drivers.container.driver import ContainerDriver
from tests import needs
from tests.container_world import World, forked_by, kill, leaving_nothing, quiet, until, zygote_of

pytestmark = [*needs.containers, pytest.mark.faults, pytest.mark.timeout(300)]

#: Moments of a boot at which something is killed, in ms; a boot takes about fifteen.
_MOMENTS_MS = (0, 2, 4, 6, 8, 10, 12, 15, 20, 30)
#: Says who it is, leaves something behind that left its session, and stays.
_STAYS = ("sh", "-c", 'echo "$ME"; setsid sleep 1000 & exec sleep 1000')


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with leaving_nothing(tmp_path / "home") as world:
        yield world


async def _started(world: World, driver: ContainerDriver, machine_id: str = "m1") -> str:
    env = {"ME": machine_id}
    return await driver.start(world.spec(*_STAYS, machine_id=machine_id, env=env), quiet)


def _is_unseen(found: Exit) -> bool:
    """Whether it is the end of a machine whose monitor was killed."""
    return (found.exit_code, found.signal) == (-1, -1) and "monitor was killed" in found.error


def test_a_quiet_platform_that_is_closed_leaves_nothing(world: World) -> None:
    async def check() -> None:
        async with world.driver() as driver:
            assert (await world.ended(driver, world.spec("true"))).exit_code == 0
            assert any(world.traces.seen().values())
            await driver.destroy("m1")
            assert (await driver.wait("m1/1")).exit_code == -1
        await world.traces.vanish()

    asyncio.run(check())


def test_a_machine_that_ends_after_its_platform_leaves_rules_alone_and_the_next_nothing(
    world: World,
) -> None:
    async def check() -> None:
        async with world.driver() as driver:
            handle = await _started(world, driver)
        kill(world.init())
        await world.traces.vanish(but="rules")
        async with world.driver() as driver:
            assert (await driver.wait(handle)).exit_code == 137
        await world.traces.vanish()

    asyncio.run(check())


class TestAMonitor:
    def test_takes_its_machine_along_and_is_reported(self, world: World) -> None:
        async def check() -> None:
            async with world.driver() as driver:
                handle = await _started(world, driver)
                waiting = asyncio.ensure_future(driver.wait(handle))
                await world.printed("m1")
                kill(world.monitor())
                found = await waiting
                assert _is_unseen(found)
                assert await driver.wait(handle) == found
                assert await _started(world, driver) == handle
                assert world.lines() == ["m1"]

        asyncio.run(check())

    def test_is_killed_with_zygote_and_machine_while_no_server_runs(self, world: World) -> None:
        async def check() -> None:
            async with world.driver() as driver:
                handle = await _started(world, driver)
            kill(*world.traces.processes())
            said: list[tuple[str, str]] = []
            async with world.driver() as driver:
                again = world.spec(*_STAYS, env={"ME": "m1"})
                assert await driver.start(again, lambda *line: said.append(line)) == handle
                assert [level for level, _ in said] == ["warning"]
                assert _is_unseen(await driver.wait(handle))

        asyncio.run(check())

    def test_frozen_ones_are_ended_too(self, world: World) -> None:
        async def check() -> None:
            async with world.driver() as driver:
                handle = await _started(world, driver)
                await driver.suspend(handle)
                kill(world.monitor())
                assert _is_unseen(await driver.wait(handle))

        asyncio.run(check())

    def test_at_any_moment_of_a_boot(self, world: World) -> None:
        """Every start ends in one truth: it ran and ended, nobody saw how, or it never ran."""

        async def check() -> None:
            async with world.driver() as driver:
                for moment_ms in _MOMENTS_MS:
                    await _boot_and_kill(world, driver, moment_ms)

        asyncio.run(check())

    def test_an_exec_learns_of_it(self, world: World) -> None:
        async def check() -> None:
            async with world.driver() as driver:
                handle = await _started(world, driver)
                command = ["sh", "-c", "setsid sleep 999 & sleep 999"]
                running = asyncio.ensure_future(driver.exec(handle, command, timeout=30))
                await _until_there_is(world, "sleep\0999", 2)
                kill(world.monitor())
                with pytest.raises(BootFailed):
                    await running
                assert _is_unseen(await driver.wait(handle))
                await _until_there_is(world, "sleep\0999", 0)

        asyncio.run(check())

    def test_a_terminal_learns_of_it(self, world: World) -> None:
        async def check() -> None:
            async with world.driver() as driver:
                handle = await _started(world, driver)
                terminal = await driver.terminal(handle, ["sleep", "999"], rows=24, columns=80)
                await _until_there_is(world, "sleep\0999", 1)
                kill(world.monitor())
                assert await terminal.wait() == -1
                assert _is_unseen(await driver.wait(handle))

        asyncio.run(check())


async def _boot_and_kill(world: World, driver: ContainerDriver, moment_ms: float) -> None:
    machine_id = f"m{moment_ms}"
    starting = asyncio.ensure_future(_started(world, driver, machine_id))
    await asyncio.sleep(moment_ms / 1000)
    kill(*forked_by(zygote_of(driver)))
    handle = await starting
    assert await _started(world, driver, machine_id) == handle
    await driver.signal(handle, signal.SIGKILL)
    found = await driver.wait(handle)
    assert _is_unseen(found) or found.exit_code == 137
    assert world.lines(machine_id).count(machine_id) <= 1
    await driver.destroy(machine_id)


async def _until_there_is(world: World, command: str, count: int) -> None:
    def found() -> list[int]:
        return [pid for pid in world.traces.processes() if command in _command_of(pid)]

    await until(lambda: len(found()) == count, found)


def _command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


class TestOthers:
    def test_a_killed_first_process_is_the_end_of_its_machine(self, world: World) -> None:
        async def check() -> None:
            async with world.driver() as driver:
                handle = await _started(world, driver)
                kill(world.init())
                found = await driver.wait(handle)
                assert (found.exit_code, found.signal, found.oom_killed) == (137, 9, False)

        asyncio.run(check())

    def test_a_killed_zygote_is_replaced_and_its_machines_go_on(self, world: World) -> None:
        async def check() -> None:
            async with world.driver() as driver:
                handle = await _started(world, driver)
                kill(zygote_of(driver))
                for number in range(6):  # the first may still go to the spares that it left
                    spec = world.spec("sh", "-c", f"exit {number}", machine_id=f"other{number}")
                    assert (await world.ended(driver, spec)).exit_code == number
                await driver.signal(handle, signal.SIGTERM)
                assert (await driver.wait(handle)).signal == signal.SIGTERM

        asyncio.run(check())

    def test_killed_spares_are_replaced(self, world: World) -> None:
        async def check() -> None:
            async with world.driver() as driver:
                for number in range(3):
                    kill(*forked_by(zygote_of(driver)))
                    spec = world.spec("sh", "-c", "exit 3", machine_id=f"m{number}")
                    assert (await world.ended(driver, spec)).exit_code == 3

        asyncio.run(check())

    def test_a_look_and_an_archive_end_with_who_makes_them(self, world: World) -> None:
        async def check() -> None:
            async with world.driver() as driver:
                spec = world.spec("sh", "-c", "head -c 50000000 /dev/urandom > /tmp/much")
                assert (await world.ended(driver, spec)).exit_code == 0
                terminal = await driver.look(spec, ["sleep", "999"], rows=24, columns=80)
                await _until_there_is(world, "sleep\0999", 1)
                kill(*forked_by(zygote_of(driver)))
                assert await terminal.wait() == -1
                await _until_there_is(world, "sleep\0999", 0)
                with pytest.raises(BootFailed):
                    await _export_and_kill(driver, spec)

        asyncio.run(check())

    def test_an_archive_that_is_not_read_to_its_end_is_given_up(self, world: World) -> None:
        async def check() -> None:
            async with world.driver() as driver:
                spec = world.spec("sh", "-c", "head -c 50000000 /dev/zero > /tmp/much")
                assert (await world.ended(driver, spec)).exit_code == 0
                blocks = aiter(driver.export(spec))
                await anext(blocks)
                await blocks.aclose()  # type: ignore[attr-defined]  # it is a generator

        asyncio.run(check())

    def test_a_start_that_was_given_up_leaves_a_machine_that_can_be_destroyed(
        self, world: World
    ) -> None:
        async def check() -> None:
            async with world.driver() as driver:
                for number in range(10):
                    starting = asyncio.ensure_future(_started(world, driver, f"m{number}"))
                    await asyncio.sleep(number / 400)
                    starting.cancel()
                    await asyncio.gather(starting, return_exceptions=True)
                    await driver.destroy(f"m{number}")
                assert await driver.machines() == set()

        asyncio.run(check())


async def _export_and_kill(driver: ContainerDriver, spec: BootSpec) -> None:
    async for _ in driver.export(spec):  # by one who may have come when it was asked for
        kill(*forked_by(zygote_of(driver)))
