"""Volumes that are disks, mounted as a monitor does it, while the platform deals with them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from ephemera.platform import tools
from ephemera.platform.drivers.container import disks as mounting
from ephemera.platform.drivers.container import ext4
from ephemera.platform.volumes.records import GIB, VolumeRecord
from ephemera.platform.volumes.states import State, Status
from tests import disk_content, needs
from tests.disk_monitor import ATTACHED, Holder, holding
from tests.unit.platform.volumes.shelf import Scene, Shelf, play_on

pytestmark = [pytest.mark.root, needs.root, needs.ext4, needs.loop]

Play = Callable[[Scene], None]
Mount = Callable[[Shelf, VolumeRecord], Holder]
Count = Callable[[Path], "subprocess.Popen[str]"]

_MIB = 1024**2
#: Writes the same number to two files, one after the other, for ever.
_COUNT = """
import os, sys
files = [os.open(f"{sys.argv[1]}/{name}", os.O_CREAT | os.O_WRONLY) for name in ("first", "second")]
for number in range(10**9):
    for file in files:
        os.pwrite(file, b"%010d" % number, 0)
        os.fsync(file)
    if number == 10:
        print("counting", flush=True)
"""


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Run a scene with a shelf whose volumes are disks."""
    return partial(play_on, tmp_path, has_disks=True)


@pytest.fixture
def begun() -> Iterator[ExitStack]:
    """What has to be ended after a test, however that ended."""
    with ExitStack() as begun:
        yield begun


@pytest.fixture
def mounted(begun: ExitStack) -> Mount:
    """Mount the disk of a volume, as a machine's monitor does."""

    def mount(shelf: Shelf, volume: VolumeRecord) -> Holder:
        target = shelf.home / f"mnt-{volume.id}"
        holder = begun.enter_context(holding(shelf.image(volume), target))
        assert holder.said == ATTACHED
        return holder

    return mount


@pytest.fixture
def counting(begun: ExitStack) -> Count:
    """Start a process that counts in two files of a folder, and return it once it does."""

    def count(folder: Path) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", _COUNT, str(folder)]
        process = begun.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        begun.callback(process.kill)
        assert process.stdout
        assert process.stdout.readline() == "counting\n"
        return process

    return count


def _holders_of_writes(image: Path) -> list[int]:
    """Return the processes that hold the writes to a disk."""
    found = subprocess.run(
        ["pgrep", "-f", f"holding import.*{image}"], capture_output=True, check=False
    )
    return [int(pid) for pid in found.stdout.split()]


def test_a_snapshot_of_a_disk_that_is_written_to_is_of_one_moment(
    play: Play, mounted: Mount, counting: Count
) -> None:
    async def scene(shelf: Shelf) -> None:
        volume = await shelf.add_disk()
        holder = mounted(shelf, volume)
        writer = counting(holder.inside)
        for _ in range(3):
            snapshot = await shelf.snapshot(volume)
            (image,) = shelf.home.glob(f"volumes/*/snapshots/{snapshot.id}.img")
            first, second = (int(disk_content.read(image, name)) for name in ("first", "second"))
            assert first - second in (0, 1)
            assert disk_content.is_whole(image)
        assert writer.poll() is None

    play(scene)


def test_a_snapshot_has_all_that_was_written_before_it_and_nothing_after_it(
    play: Play, mounted: Mount
) -> None:
    async def scene(shelf: Shelf) -> None:
        volume = await shelf.add_disk()
        holder = mounted(shelf, volume)
        (holder.inside / "before").write_text("there")
        snapshot = await shelf.snapshot(volume)
        (holder.inside / "after").write_text("not there")
        restored = await shelf.reaches(
            await shelf.add_disk(snapshot_id=snapshot.id, size_gb=2), State.CREATED
        )
        other = mounted(shelf, restored)
        assert (other.inside / "before").read_text() == "there"
        assert not (other.inside / "after").exists()
        assert os.statvfs(other.inside).f_blocks > os.statvfs(holder.inside).f_blocks * 1.9

    play(scene)


def test_a_fork_and_a_snapshot_at_once_do_not_disturb_each_other(
    play: Play, mounted: Mount, counting: Count
) -> None:
    async def scene(shelf: Shelf) -> None:
        volume = await shelf.add_disk()
        holder = mounted(shelf, volume)
        counting(holder.inside)
        shelf.volumes.snapshots.take(volume)
        forks = [await shelf.add_disk(source_volume_id=volume.id) for _ in range(2)]
        await shelf.newest(volume, Status.CREATED)
        for fork in forks:
            await shelf.reaches(fork, State.CREATED)
            assert disk_content.is_whole(shelf.image(fork))
        (holder.inside / "still").write_text("writable")

    play(scene)


def test_a_disk_that_is_mounted_while_it_is_copied_is_copied_again(
    play: Play, mounted: Mount, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_file = tools.copy_file
    holders: list[Holder] = []

    async def scene(shelf: Shelf) -> None:
        async def mounting_meanwhile(source: Path, target: Path) -> None:
            await copy_file(source, target)
            if not holders:
                holders.append(mounted(shelf, volume))
                (holders[0].inside / "file").write_text("there")

        volume = await shelf.add_disk()
        monkeypatch.setattr(tools, "copy_file", mounting_meanwhile)
        fork = await shelf.reaches(await shelf.add_disk(source_volume_id=volume.id), State.CREATED)
        assert disk_content.read(shelf.image(fork), "file") == "there"

    play(scene)


def test_how_full_a_mounted_disk_is_is_what_its_machine_sees(play: Play, mounted: Mount) -> None:
    async def scene(shelf: Shelf) -> None:
        volume = await shelf.add_disk()
        before = await shelf.volumes.usage.now(volume.id)
        holder = mounted(shelf, volume)
        assert await shelf.volumes.usage.now(volume.id) == before
        (holder.inside / "file").write_bytes(bytes(8 * _MIB))
        await tools.run("sync", "-f", str(holder.inside))
        seen = await shelf.volumes.usage.now(volume.id)
        assert seen.used == before.used + 8 * _MIB
        holder.kill()
        await shelf.until(lambda: mounting.is_idle(str(shelf.image(volume))))
        assert await shelf.volumes.usage.now(volume.id) == seen

    play(scene)


def test_an_extended_disk_is_larger_now_or_when_it_is_mounted_again(
    play: Play, mounted: Mount
) -> None:
    async def scene(shelf: Shelf) -> None:
        volume = await shelf.add_disk()
        holder = mounted(shelf, volume)
        (holder.inside / "file").write_text("kept")
        is_so = await shelf.volumes.sizing.settle(shelf.volumes.extend(volume, 2))
        room = await shelf.volumes.usage.now(volume.id)
        assert room.total
        assert (room.total > 1.9 * GIB) == is_so
        holder.kill()
        holder = mounted(shelf, volume)
        assert (holder.inside / "file").read_text() == "kept"
        room = await shelf.volumes.usage.now(volume.id)
        assert room.total
        assert room.total > 1.9 * GIB
        holder.kill()
        await shelf.until(lambda: mounting.is_idle(str(shelf.image(volume))))
        assert ext4.superblock(str(shelf.image(volume))).total_bytes == 2 * GIB

    play(scene)


def test_a_copy_whose_holder_is_killed_fails_and_the_machine_writes_on(
    play: Play, mounted: Mount, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_file = tools.copy_file

    async def scene(shelf: Shelf) -> None:
        async def killing(source: Path, target: Path) -> None:
            (pid,) = _holders_of_writes(source)
            os.kill(pid, signal.SIGKILL)
            await copy_file(source, target)

        volume = await shelf.add_disk()
        holder = mounted(shelf, volume)
        with monkeypatch.context() as patched:
            patched.setattr(tools, "copy_file", killing)
            shelf.volumes.snapshots.take(volume)
            await shelf.newest(volume, Status.FAILED)
        (holder.inside / "file").write_text("written")
        snapshot = await shelf.snapshot(volume)
        assert snapshot.size

    play(scene)


def test_a_server_that_stops_while_it_copies_lets_the_machine_write_on(
    play: Play, mounted: Mount, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never_done(source: Path, _target: Path) -> None:
        is_copying.set()
        await asyncio.get_running_loop().create_future()

    is_copying = asyncio.Event()

    async def scene(shelf: Shelf) -> None:
        volume = await shelf.add_disk()
        holder = mounted(shelf, volume)
        with monkeypatch.context() as patched:
            patched.setattr(tools, "copy_file", never_done)
            shelf.volumes.snapshots.take(volume)
            await is_copying.wait()
            await shelf.close()
        (holder.inside / "file").write_text("written")
        shelf.open()
        await shelf.newest(volume, Status.CREATED)

    play(scene)
