"""A platform is killed with SIGKILL before and after each write in the lives of disks, and between.

What must hold each time, once the platform is there again: what was said to be made is there or on
its way, each disk is whole and of the stated size, and nothing is there that nobody owns.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ephemera.platform.drivers.container import disks, ext4
from ephemera.platform.volumes.records import VolumeRecord
from ephemera.platform.volumes.states import LEAVING, State
from tests import disk_content, needs
from tests.disk_monitor import ATTACHED, holding
from tests.faults.disk_life import TEXT
from tests.faults.mortality import FEW_ROUNDS, writes_to_die_at
from tests.unit.platform.volumes.shelf import Shelf

pytestmark = [pytest.mark.faults, needs.ext4, needs.linux, pytest.mark.timeout(300)]

_WRITES_MIN = 8
_ROUNDS = 5 if FEW_ROUNDS else 25
_PATIENCE_S = 60.0
#: Holds the writes to a mounted disk, as a server does, until it is killed.
_HOLD = """
import asyncio, sys
from pathlib import Path
from ephemera.platform.volumes import disks
async def main():
    async with disks._held(Path(sys.argv[1])):
        print("held", flush=True)
        await asyncio.sleep(1000)
asyncio.run(main())
"""


def _life(home: Path, number: int, when: str) -> subprocess.Popen[str]:
    home.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tests.faults.disk_life", str(home), str(number), when]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _said(life: subprocess.Popen[str]) -> list[tuple[str, str]]:
    """Return what it said, once it is dead."""
    out, _ = life.communicate(timeout=_PATIENCE_S)
    return [
        (what, volume) for what, _, volume in (line.partition(" ") for line in out.splitlines())
    ]


def _check(home: Path, said: list[tuple[str, str]]) -> None:
    """Check what is there once the platform is."""
    asyncio.run(_checked(home, said))


async def _checked(home: Path, said: list[tuple[str, str]]) -> None:
    shelf = Shelf(home, has_disks=True)
    shelf.open()

    def is_settled() -> bool:
        volumes = shelf.volumes.all(include_deleted=True)
        return all(one.state in (State.CREATED, State.DESTROYED) for one in volumes)

    await shelf.until(is_settled)
    there = {one.id: one for one in shelf.volumes.all(include_deleted=True)}
    made = {volume for what, volume in said if what in ("source", "made")}
    assert made <= there.keys()
    assert all(there[volume].state in LEAVING for what, volume in said if what == "destroyed")
    source = dict(said).get("source")
    for volume in shelf.volumes.all():
        _check_disk(shelf, volume, holds_all=source is not None)
    await shelf.until(lambda: _owned(shelf))
    await shelf.close()


def _check_disk(shelf: Shelf, volume: VolumeRecord, *, holds_all: bool) -> None:
    image = shelf.image(volume)
    assert image.stat().st_size == volume.bytes_total
    assert disk_content.is_whole(image)
    if holds_all:
        assert disk_content.read(image, "file") == TEXT
    disks.grow_unmounted(str(image))  # as mounting does
    assert ext4.superblock(str(image)).total_bytes == volume.bytes_total


def _owned(shelf: Shelf) -> bool:
    """Whether nothing is there but the disks and snapshots that are written down."""
    volumes = shelf.volumes.all(include_deleted=True)
    mine = {f"{one.id}/data.img" for one in volumes if one.state is State.CREATED}
    for volume in volumes:
        mine |= {f"{volume.id}/snapshots/{one.id}.img" for one in shelf.snapshots(volume)}
    return shelf.on_disk() == mine


def _until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)  # a file system tells nobody that it was thawed


@pytest.mark.parametrize("when", ["before", "after"])
def test_disks_are_whole_at_whichever_write_the_platform_is_killed(
    tmp_path: Path, when: str
) -> None:
    for writes in writes_to_die_at(when):
        life = _life(tmp_path / str(writes), writes, when)
        said = _said(life)
        died = life.returncode == -signal.SIGKILL
        assert died or life.returncode == 0
        _check(tmp_path / str(writes), said)
        if not died:
            break
    assert writes > _WRITES_MIN


def test_disks_are_whole_whenever_the_platform_is_killed(tmp_path: Path) -> None:
    began = time.monotonic()
    assert ("over", "") in _said(_life(tmp_path / "whole", 0, "before"))
    whole_s = time.monotonic() - began
    when = random.Random(4)
    for number in range(_ROUNDS):
        life = _life(tmp_path / str(number), 0, "before")
        time.sleep(when.uniform(0.3, 1.0) * whole_s)  # anywhere on its way is right
        life.kill()
        said = _said(life)
        if (tmp_path / str(number) / "platform.db").exists():
            _check(tmp_path / str(number), said)


@pytest.mark.root
@needs.root
@needs.loop
def test_a_machine_writes_on_when_the_server_is_killed_that_held_its_writes(tmp_path: Path) -> None:
    image = _disk(tmp_path)
    with holding(image, tmp_path / "mnt") as holder:
        server = _server_that_holds(image)
        writer = subprocess.Popen(["touch", holder.inside / "file"])
        with pytest.raises(subprocess.TimeoutExpired):
            writer.wait(0.3)
        server.kill()
        server.wait()
        assert writer.wait(_PATIENCE_S) == 0


@pytest.mark.root
@needs.root
@needs.loop
def test_a_disk_can_be_had_again_when_all_were_killed_that_had_to_do_with_it(
    tmp_path: Path,
) -> None:
    image = _disk(tmp_path)
    with holding(image, tmp_path / "mnt") as holder:
        server = _server_that_holds(image)
        (child,) = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
        for pid in (int(child), server.pid, holder.pid):
            os.kill(pid, signal.SIGKILL)
        server.wait()
    assert not disks.is_idle(str(image))
    with holding(image, tmp_path / "mnt") as holder:
        assert holder.said == ATTACHED
        (holder.inside / "file").write_text("written")
    _until(lambda: disks.is_idle(str(image)))
    assert disk_content.is_whole(image)


def _disk(folder: Path) -> Path:
    image = folder / "data.img"
    image.touch()
    os.truncate(image, 64 * 1024**2)
    subprocess.run([str(needs.which("mkfs.ext4")), "-F", "-q", image], check=True)
    return image


def _server_that_holds(image: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _HOLD, str(image)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout
    assert server.stdout.readline() == "held\n"
    return server
