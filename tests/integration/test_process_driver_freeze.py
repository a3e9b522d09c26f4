"""Suspending, listing and mounting with the process driver, beyond what the contract asks."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from signal import SIGKILL

import pytest

from ephemera.errors import BootFailed
from ephemera.platform.drivers.base import GuestMount, Program
from ephemera.platform.drivers.monitoring import kernel
from tests.process_driver_world import World, quiet

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

_FORKS_FOR_EVER = "while :; do sh -c 'sh -c :'; done & while :; do sh -c :; done & echo up; wait"

_LISTENS = """\
import socket, sys, time
with socket.create_server(("127.0.0.1", 0)) as server:
    print(server.getsockname()[1], flush=True)
    time.sleep(1000)
"""


#: Its first thread ends, as `pthread_exit` in `main` has it, and another lives on.
_HEADLESS = """\
import ctypes, os, threading, time
threading.Thread(target=time.sleep, args=(1000,)).start()
print(os.getpid(), flush=True)
ctypes.CDLL(None).pthread_exit(None)
"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    asyncio.run(world.clear())


def test_nothing_of_a_machine_that_forks_all_the_time_runs_while_it_is_suspended(
    world: World,
) -> None:
    async def check() -> None:
        async with world.driver() as driver:
            handle = await driver.start(world.spec("sh", "-c", _FORKS_FOR_EVER), quiet)
            await world.printed("up")
            for _ in range(5):
                await driver.suspend(handle)
                frozen = world.alive()
                assert all(map(kernel.is_stopped, frozen)), frozen
                assert world.alive() == frozen
                await driver.resume(handle)

    asyncio.run(check())


def test_a_process_whose_first_thread_has_ended_is_frozen_and_killed(
    world: World,
) -> None:
    async def check() -> None:
        async with world.driver() as driver:
            handle = await driver.start(world.spec(sys.executable, "-c", _HEADLESS), quiet)
            pid = int(await world.first_line())
            while not _first_thread_has_ended(pid):  # noqa: ASYNC110 - nobody tells of it
                await asyncio.sleep(0.01)
            assert kernel.process(pid) is not None
            assert not kernel.is_stopped(pid)
            await driver.suspend(handle)
            assert kernel.is_stopped(pid)
            await driver.resume(handle)
            assert not kernel.is_stopped(pid)
            await driver.signal(handle, SIGKILL, everyone=True)
            assert (await driver.wait(handle)).signal == SIGKILL

    asyncio.run(check())


def _first_thread_has_ended(pid: int) -> bool:
    return b") Z " in Path(f"/proc/{pid}/stat").read_bytes()


def test_a_shell_with_jobs_does_not_notice_that_it_was_suspended(world: World) -> None:
    async def check() -> None:
        command = "set -m; sh -c 'echo up; sleep 0.3'; echo ended with $?; sleep 1000"
        async with world.driver() as driver:
            handle = await driver.start(world.spec("bash", "-c", command), quiet)
            await world.printed("up")
            for _ in range(20):
                await driver.suspend(handle)
                await driver.resume(handle)
            await world.printed("ended with 0")

    asyncio.run(check())


def test_the_program_that_cannot_be_executed_is_named_when_others_already_run(
    world: World,
) -> None:
    async def check() -> None:
        others = [Program(["sleep", "1000"], {}), Program(["/missing"], {})]
        spec = replace(world.spec("sleep", "1000"), beside=others)
        async with world.driver() as driver:
            with pytest.raises(BootFailed, match="'/missing' does not exist"):
                await driver.start(spec, quiet)
            assert world.alive() == set()

    asyncio.run(check())


def test_what_a_program_stopped_itself_stays_stopped_when_it_is_resumed(world: World) -> None:
    async def check() -> None:
        command = "sleep 1000 & kill -STOP $!; echo $!; wait"
        async with world.driver() as driver:
            handle = await driver.start(world.spec("sh", "-c", command), quiet)
            child = int(await world.first_line())
            while not kernel.is_stopped(child):  # noqa: ASYNC110 - it has been told to, no more
                await asyncio.sleep(0.01)
            await driver.suspend(handle)
            await driver.resume(handle)
            assert kernel.is_stopped(child)
            assert not kernel.is_stopped(world.program())

    asyncio.run(check())


def test_a_suspended_machine_stays_so_without_a_server(world: World) -> None:
    async def check() -> None:
        async with world.driver() as driver:
            handle = await driver.start(world.spec("sleep", "1000"), quiet)
            await driver.suspend(handle)
        assert kernel.is_stopped(world.program())
        async with world.driver() as driver:
            await driver.suspend(handle)
            assert kernel.is_stopped(world.program())
            await driver.resume(handle)
            assert not kernel.is_stopped(world.program())

    asyncio.run(check())


def test_ps_shows_where_a_process_listens_and_not_its_environment(world: World) -> None:
    async def check() -> None:
        spec = world.spec(sys.executable, "-c", _LISTENS, env={"PASSWORD": "hunter2"})
        async with world.driver() as driver:
            handle = await driver.start(spec, quiet)
            port = await world.first_line()
            (found,) = await driver.ps(handle)
            (socket,) = found.listen_sockets
            assert (socket.proto, socket.address) == ("tcp", f"127.0.0.1:{port}")
            assert found.pid == world.program()
            assert found.directory.endswith("/m1/1.root")
            assert "hunter2" not in repr(found)

    asyncio.run(check())


def test_programs_beside_have_their_own_environment_and_one_log(world: World) -> None:
    async def check() -> None:
        beside = [
            Program(["sh", "-c", 'echo "beside $NAME"; exec sleep 1000'], {"NAME": "b"}),
            Program(["sh", "-c", "exec sleep 1000"], {}),
        ]
        main = world.spec("sh", "-c", 'echo "main $NAME"; exec sleep 1000', env={"NAME": "m"})
        async with world.driver() as driver:
            handle = await driver.start(replace(main, beside=beside), quiet)
            await world.printed("beside b")
            await world.printed("main m")
            assert len(await driver.ps(handle)) == 3
            await driver.signal(handle, 15)
            assert (await driver.wait(handle)).signal == 15
            assert world.alive() == set()

    asyncio.run(check())


def test_paths_in_a_volume_are_found_in_commands_and_environments(
    world: World, tmp_path: Path
) -> None:
    async def check() -> None:
        volume = tmp_path / "volume"
        volume.mkdir()
        (volume / "there").write_text("kept")
        command = 'cat "$PLACE/there" "$0"'
        spec = world.spec("sh", "-c", command, "/data/there", env={"PLACE": "/data"})
        spec = replace(spec, mounts=[GuestMount("/data", "vol_1", str(volume))])
        async with world.driver() as driver:
            handle = await driver.start(spec, quiet)
            await driver.wait(handle)
            assert world.lines() == ["keptkept"]
            await driver.destroy("m1")
            assert (volume / "there").read_text() == "kept"

    asyncio.run(check())
