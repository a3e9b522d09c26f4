"""Kill the zygote, the monitors and the server: no exit is lost, nothing is doubled or orphaned."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ephemera.platform.drivers.monitoring import ending, kernel
from ephemera.platform.drivers.process.driver import ProcessDriver
from tests.process_driver_world import World, forked_by, kill, quiet, zygote_of

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc"),
]

#: Moments of a boot at which something is killed, in ms; a boot takes about three.
_MOMENTS_MS = [tenths / 10 for tenths in range(0, 80, 2)]
#: Runs once, at most: says so, leaves the session, and stays.
_COMMAND = ("sh", "-c", 'echo "$ME"; setsid sleep 1000 & exec sleep 1000')
_ESCAPE = "setsid env -u X sleep 1000 </dev/null >/dev/null 2>&1 & exec sleep 1000"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    asyncio.run(world.clear())


def test_a_killed_zygote_is_replaced(world: World) -> None:
    async def check() -> None:
        async with world.driver() as driver:
            handle = await driver.start(world.spec("sleep", "1000"), quiet)
            kill(zygote_of(driver))
            for number in range(3):  # the first may still go to the spare that it left
                spec = world.spec("true", machine_id=f"other{number}")
                assert (await driver.wait(await driver.start(spec, quiet))).exit_code == 0
            await driver.signal(handle, signal.SIGTERM)
            assert (await driver.wait(handle)).signal == signal.SIGTERM

    asyncio.run(check())


def test_a_killed_spare_is_replaced(world: World) -> None:
    async def check() -> None:
        async with world.driver() as driver:
            for number in range(3):
                kill(*forked_by(zygote_of(driver)))
                spec = world.spec("sh", "-c", "exit 3", machine_id=f"m{number}")
                assert (await driver.wait(await driver.start(spec, quiet))).exit_code == 3

    asyncio.run(check())


def test_a_killed_monitor_takes_its_machine_along_and_is_reported(world: World) -> None:
    async def check() -> None:
        async with world.driver() as driver:
            handle = await driver.start(world.spec("sh", "-c", _ESCAPE), quiet)
            waiting = asyncio.ensure_future(driver.wait(handle))
            await driver.exec(handle, ["true"], timeout=20)
            kill(world.monitor())
            found = await waiting
            assert (found.exit_code, found.signal) == (-1, -1)
            assert "monitor was killed" in found.error
            assert world.alive() == set()
            assert await driver.wait(handle) == found

    asyncio.run(check())


def test_an_exec_and_a_signal_learn_that_the_monitor_was_killed(world: World) -> None:
    async def check() -> None:
        async with world.driver() as driver:
            handle = await driver.start(world.spec("sleep", "1000"), quiet)
            kill(world.monitor())
            await driver.signal(handle, signal.SIGTERM)
            assert (await driver.wait(handle)).exit_code == -1
            assert world.alive() == set()

    asyncio.run(check())


def test_zygote_and_monitor_killed_together(world: World) -> None:
    async def check() -> None:
        async with world.driver() as driver:
            handle = await driver.start(world.spec(*_COMMAND), quiet)
            kill(zygote_of(driver), world.monitor())
            assert (await driver.wait(handle)).exit_code == -1
            assert world.alive() == set()

    asyncio.run(check())


def test_a_monitor_killed_while_no_server_runs(world: World) -> None:
    async def check() -> None:
        async with world.driver() as driver:
            handle = await driver.start(world.spec(*_COMMAND, env={"ME": "m1"}), quiet)
        kill(world.monitor())
        said: list[tuple[str, str]] = []
        async with world.driver() as driver:
            same = await driver.start(
                world.spec(*_COMMAND, env={"ME": "m1"}), lambda *line: said.append(line)
            )
            assert same == handle
            assert [level for level, _ in said] == ["warning"]
            assert (await driver.wait(handle)).exit_code == -1
            assert world.alive() == set()

    asyncio.run(check())


def test_destroy_ends_what_a_killed_monitor_left(world: World) -> None:
    async def check() -> None:
        async with world.driver() as driver:
            await driver.start(world.spec(*_COMMAND), quiet)
        kill(world.monitor())
        async with world.driver() as driver:
            await driver.destroy("m1")
            assert world.alive() == set()
            assert await driver.machines() == set()

    asyncio.run(check())


def test_a_process_that_was_given_the_pid_of_a_dead_one_is_left_alone(world: World) -> None:
    innocent = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    try:
        own = kernel.process(innocent.pid)
        assert own is not None
        record = {"pid": innocent.pid, "start": own.start - 1, "host": kernel.HOST_BOOT}
        ending.end_leftovers(record, b"EPHEMERA_FILES=/nobody")
        ending.end_leftovers({**record, "start": own.start, "host": "x"}, b"")
        assert innocent.poll() is None
        ending.end_leftovers({**record, "start": own.start}, b"EPHEMERA_FILES=/nobody")
        assert innocent.wait(20) == -signal.SIGKILL
    finally:
        innocent.kill()
        innocent.wait()


def test_monitors_killed_at_any_moment_of_a_boot(world: World) -> None:
    """Every start ends in one truth: it ran and is alive, it ran and ended -1, or it never ran."""

    async def check() -> None:
        async with world.driver() as driver:
            for moment_ms in _MOMENTS_MS:
                await _boot_and_kill(world, driver, moment_ms)
            await world.nothing_lives()

    asyncio.run(check())


async def _boot_and_kill(world: World, driver: ProcessDriver, moment_ms: float) -> None:
    machine_id = f"m{int(moment_ms * 10)}"
    spec = world.spec(*_COMMAND, machine_id=machine_id, env={"ME": machine_id})
    starting = asyncio.ensure_future(driver.start(spec, quiet))
    await asyncio.sleep(moment_ms / 1000)
    kill(*forked_by(zygote_of(driver)))
    handle = await starting
    assert await driver.start(spec, quiet) == handle
    await driver.signal(handle, signal.SIGKILL)
    found = await driver.wait(handle)
    assert (found.exit_code, bool(found.error)) in [(-1, True), (137, False)]
    assert world.lines().count(machine_id) <= 1
    await driver.destroy(machine_id)


#: A server that starts machines for as long as it is let.
_SERVER = """
import asyncio, sys
from pathlib import Path
from ephemera.platform.drivers.process.driver import ProcessDriver
from tests.process_driver_world import World, quiet

async def main():
    world = World(Path(sys.argv[1]))
    driver = ProcessDriver(world.home)
    await driver.open(quiet)
    print("open", flush=True)
    for number in range(1000):
        name = f"{sys.argv[2]}-{number}"
        spec = world.spec(*sys.argv[3:], machine_id=name, env={"ME": name})
        print(await driver.start(spec, quiet), flush=True)

asyncio.run(main())
"""


async def _start_server(world: World, name: str) -> asyncio.subprocess.Process:
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _SERVER, str(world.home), name, *_COMMAND,
        stdout=subprocess.PIPE, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert server.stdout is not None
    assert await server.stdout.readline() == b"open\n"
    return server


@pytest.mark.parametrize("moment_ms", [0, 1, 2, 3, 5, 8, 13])
def test_a_server_killed_while_it_starts_machines(moment_ms: int, world: World) -> None:
    """The next server finds each machine, running or not, and runs none twice."""

    async def check() -> None:
        server = await _start_server(world, "s")
        await asyncio.sleep(moment_ms / 1000)
        server.kill()
        told, _ = await server.communicate()
        async with world.driver() as driver:
            started = await driver.machines()
            assert {line.partition("/")[0] for line in told.decode().split()} <= started
            for machine_id in started:
                spec = world.spec(*_COMMAND, machine_id=machine_id, env={"ME": machine_id})
                handle = await driver.start(spec, quiet)
                await driver.exec(handle, ["true"], timeout=20)
                await driver.signal(handle, signal.SIGKILL)
                assert (await driver.wait(handle)).signal == signal.SIGKILL
                assert world.lines().count(machine_id) <= 1
                await driver.destroy(machine_id)
        await world.nothing_lives()

    asyncio.run(check())


def test_an_exit_that_no_server_saw_is_reported_by_the_next(world: World) -> None:
    async def check() -> None:
        server = await _start_server(world, "s")
        assert server.stdout is not None
        handle = (await server.stdout.readline()).decode().strip()
        server.kill()
        await server.communicate()
        kill(world.program("s-0"))
        async with world.driver() as driver:
            assert (await driver.wait(handle)).exit_code == 137
            for machine_id in await driver.machines():
                await driver.destroy(machine_id)
        await world.nothing_lives()

    asyncio.run(check())


def test_a_start_that_was_given_up_leaves_a_machine_that_can_be_destroyed(world: World) -> None:
    async def check() -> None:
        async with world.driver() as driver:
            for number in range(20):
                name = f"m{number}"
                spec = world.spec(*_COMMAND, machine_id=name)
                starting = asyncio.ensure_future(driver.start(spec, quiet))
                await asyncio.sleep(number / 4000)
                starting.cancel()
                await asyncio.gather(starting, return_exceptions=True)
                await driver.destroy(name)
            assert await driver.machines() == set()
            assert world.alive() == set()

    asyncio.run(check())
