"""A boot that another monitor holds: the second waits until the first listens, or is gone."""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
import sys
from pathlib import Path

import pytest

from ephemera.platform.drivers.monitoring import frames
from ephemera.platform.drivers.monitoring.folder import BootFolder
from tests.process_driver_world import TIMEOUT_S, World, quiet

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


async def _somebody_waits_for(inode: int) -> None:
    """Return when a process is blocked on the lock of this inode, as the kernel lists it."""
    async with asyncio.timeout(TIMEOUT_S):
        while not any(  # noqa: ASYNC110 - the kernel tells nobody that somebody waits
            "->" in line and f":{inode} " in line
            for line in Path("/proc/locks").read_text().splitlines()  # noqa: ASYNC240 - no disk
        ):
            await asyncio.sleep(0.01)


def test_whoever_finds_the_lock_held_waits_until_its_holder_listens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path)
    (tmp_path / "machines").mkdir()
    folder = BootFolder(str(tmp_path / "machines" / "m1"), 1)
    folder.make()
    gate = os.open(folder.machine, os.O_RDONLY)
    lock = os.open(folder.lock, os.O_RDWR)
    for held in (gate, lock):
        fcntl.flock(held, fcntl.LOCK_EX)
    inode = os.fstat(gate).st_ino

    async def check() -> None:
        async with world.driver() as driver:
            starting = asyncio.ensure_future(driver.start(world.spec("true"), quiet))
            await _somebody_waits_for(inode)
            with socket.socket(socket.AF_UNIX) as listener:
                listener.setblocking(False)
                listener.bind("1.sock")
                listener.listen()
                os.close(gate)
                link, _ = await asyncio.get_running_loop().sock_accept(listener)
                with link:
                    link.setblocking(False)
                    said = frames.encode({"say": "started"})
                    await asyncio.get_running_loop().sock_sendall(link, said)
                    assert await starting == "m1/1"

    monkeypatch.chdir(folder.machine)  # an address holds no long path
    asyncio.run(check())
    os.close(lock)


def test_whoever_finds_a_holder_that_is_ending_waits_for_its_end(tmp_path: Path) -> None:
    world = World(tmp_path)
    (tmp_path / "machines").mkdir()
    folder = BootFolder(str(tmp_path / "machines" / "m1"), 1)
    folder.make()
    folder.write_exit({"exit_code": 0})
    lock = os.open(folder.lock, os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    inode = os.fstat(lock).st_ino

    async def check() -> None:
        async with world.driver() as driver:
            destroying = asyncio.ensure_future(driver.destroy("m1"))
            await _somebody_waits_for(inode)
            os.close(lock)
            await destroying
            assert await driver.machines() == set()

    asyncio.run(check())
