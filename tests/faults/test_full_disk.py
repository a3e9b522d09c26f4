"""A full disk costs log lines and time, never a machine or its exit."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import needs
from tests.process_driver_world import World, quiet

pytestmark = [
    pytest.mark.root,
    needs.root,
]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", disk], check=True)
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


def test_an_exit_has_room_on_a_full_disk(small_disk: Path, tmp_path: Path) -> None:
    world = World(small_disk)
    world.log = tmp_path / "logs"
    fill = small_disk / "fill"

    async def check() -> None:
        async with world.driver() as driver:
            command = f"cat /dev/zero > {fill}; echo full; exit 3"
            handle = await driver.start(world.spec("sh", "-c", command), quiet)
            waiting = asyncio.ensure_future(driver.wait(handle))
            await world.printed("full")
            assert (await waiting).exit_code == 3
            assert fill.exists()
            await driver.destroy("m1")

    asyncio.run(check())


def test_a_machine_whose_exit_found_no_room_can_be_destroyed(
    small_disk: Path, tmp_path: Path
) -> None:
    world = World(small_disk)
    world.log = tmp_path / "logs"

    async def check() -> None:
        async with world.driver() as driver:
            command = f"cat /dev/zero > {small_disk}/fill; echo full; exec sleep 1000"
            await driver.start(world.spec("sh", "-c", command), quiet)
            await world.printed("full")
            await driver.destroy("m1")
            assert world.alive() == set()

    asyncio.run(check())
