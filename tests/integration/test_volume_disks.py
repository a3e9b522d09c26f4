"""Volumes that are disks and mounted, as a monitor mounts them, while the platform deals with them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from ephemera.platform.drivers.container import disks as mounting
from ephemera.platform.drivers.container import ext4
from ephemera.platform.volumes import tools
from ephemera.platform.volumes.records import GIB, VolumeRecord
from ephemera.platform.volumes.states import State, Status
from tests import disk_content, needs
from tests.disk_monitor import ATTACHED, Holder
from tests.unit.platform.volumes.shelf import Shelf

pytestmark = [pytest.mark.root, needs.root, needs.ext4, needs.loop]

Scene = Callable[[Shelf], Awaitable[None]]
Play = Callable[[Scene], None]

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

    def run(scene: Scene) -> None:
        async def whole() -> None:
            shelf = Shelf(tmp_path, has_disks=True)
            shelf.open()
            try:
                await scene(shelf)
            finally:
                await shelf.close()

        asyncio.run(whole())

    return run


def _mounted(shelf: Shelf, volume: VolumeRecord) -> Holder:
    holder = Holder(shelf.image(volume), shelf.home / f"mnt-{volume.id}")
    assert holder.said == ATTACHED
    return holder


def _counting(folder: Path) -> subprocess.Popen[str]:
    """Start a process that counts in two files, and return it once it does."""
    command = [sys.executable, "-c", _COUNT, str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "counting\n"
    return process


def _holders_of_writes(image: Path) -> list[int]:
    """Return the processes that hold the writes to a disk."""
    found = subprocess.run(
        ["pgrep", "-f", f"holding import.*{image}"], capture_output=True, check=False
    )
    return [int(pid) for pid in found.stdout.split()]


def test_a_snapshot_of_a_disk_that_is_written_to_is_of_one_moment(play: Play) -> None:
    async def scene(shelf: Shelf) -> None:
        volume = await shelf.add_disk()
        holder = _mounted(shelf, volume)
        writer = _counting(holder.inside)
        for _ in range(3):
            snapshot = await shelf.snapshot(volume)
            (image,) = shelf.home.glob(f"volumes/*/snapshots/{snapshot.id}.img")
            first, second = (int(disk_content.read(image, name)) for name in ("first", "second"))
            assert first - second in (0, 1)
            assert disk_content.is_whole(image)
        assert writer.poll() is None
        writer.kill()
        writer.wait()
        holder.kill()

    play(scene)


def test_a_snapshot_has_all_that_was_written_before_it_and_nothing_after_it(play: Play) -> None:
    async def scene(shelf: Shelf) -> None:
        volume = await shelf.add_disk()
        holder = _mounted(shelf, volume)
        (holder.inside / "before").write_text("there")
        snapshot = await shelf.snapshot(volume)
        (holder.inside / "after").write_text("not there")
        restored = await shelf.reaches(
            await shelf.add_disk(snapshot_id=snapshot.id, size_gb=2), State.CREATED
        )
        other = _mounted(shelf, restored)
        assert (other.inside / "before").read_text() == "there"
        assert not (other.inside / "after").exists()
        assert os.statvfs(other.inside).f_blocks > os.statvfs(holder.inside).f_blocks * 1.9
        other.kill()
        holder.kill()

    play(scene)


def test_a_fork_and_a_snapshot_at_once_do_not_disturb_each_other(play: Play) -> None:
    async def scene(shelf: Shelf) -> None:
        volume = await shelf.add_disk()
        holder = _mounted(shelf, volume)
        writer = _counting(holder.inside)
        shelf.volumes.snapshots.take(volume)
        forks = [await shelf.add_disk(source_volume_id=volume.id) for _ in range(2)]
        await shelf.newest(volume, Status.CREATED)
        for fork in forks:
            await shelf.reaches(fork, State.CREATED)
            assert disk_content.is_whole(shelf.image(fork))
        writer.kill()
        writer.wait()
        (holder.inside / "still").write_text("writable")
        holder.kill()

    play(scene)


def test_a_disk_that_is_mounted_while_it_is_copied_is_copied_again(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_file = tools.copy_file
    holders: list[Holder] = []

    async def scene(shelf: Shelf) -> None:
        async def mounting_meanwhile(source: Path, target: Path) -> None:
            await copy_file(source, target)
            if not holders:
                holders.append(_mounted(shelf, volume))
                (holders[0].inside / "file").write_text("there")

        volume = await shelf.add_disk()
        monkeypatch.setattr(tools, "copy_file", mounting_meanwhile)
        fork = await shelf.reaches(await shelf.add_disk(source_volume_id=volume.id), State.CREATED)
        assert disk_content.read(shelf.image(fork), "file") == "there"
        holders[0].kill()

    play(scene)


def test_how_full_a_mounted_disk_is_is_what_its_machine_sees(play: Play) -> None:
    async def scene(shelf: Shelf) -> None:
        volume = await shelf.add_disk()
        before = await shelf.volumes.usage.now(volume.id)
        holder = _mounted(shelf, volume)
        assert await shelf.volumes.usage.now(volume.id) == before
        (holder.inside / "file").write_bytes(bytes(8 * _MIB))
        subprocess.run(["sync", "-f", holder.inside], check=True)
        mounted = await shelf.volumes.usage.now(volume.id)
        assert mounted.used == before.used + 8 * _MIB
        holder.kill()
        await shelf.until(lambda: mounting.is_idle(str(shelf.image(volume))))
        assert await shelf.volumes.usage.now(volume.id) == mounted

    play(scene)


def test_an_extended_disk_is_larger_now_or_when_it_is_mounted_again(play: Play) -> None:
    async def scene(shelf: Shelf) -> None:
        volume = await shelf.add_disk()
        holder = _mounted(shelf, volume)
        (holder.inside / "file").write_text("kept")
        is_so = await shelf.volumes.sizing.settle(shelf.volumes.extend(volume, 2))
        room = await shelf.volumes.usage.now(volume.id)
        assert room.total
        assert (room.total > 1.9 * GIB) == is_so
        holder.kill()
        holder = _mounted(shelf, volume)
        assert (holder.inside / "file").read_text() == "kept"
        room = await shelf.volumes.usage.now(volume.id)
        assert room.total
        assert room.total > 1.9 * GIB
        holder.kill()
        await shelf.until(lambda: mounting.is_idle(str(shelf.image(volume))))
        assert ext4.superblock(str(shelf.image(volume))).total_bytes == 2 * GIB

    play(scene)


def test_a_copy_whose_holder_is_killed_fails_and_the_machine_writes_on(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_file = tools.copy_file

    async def scene(shelf: Shelf) -> None:
        async def killing(source: Path, target: Path) -> None:
            (pid,) = _holders_of_writes(source)
            os.kill(pid, signal.SIGKILL)
            await copy_file(source, target)

        volume = await shelf.add_disk()
        holder = _mounted(shelf, volume)
        with monkeypatch.context() as patched:
            patched.setattr(tools, "copy_file", killing)
            shelf.volumes.snapshots.take(volume)
            await shelf.newest(volume, Status.FAILED)
        (holder.inside / "file").write_text("written")
        snapshot = await shelf.snapshot(volume)
        assert snapshot.size
        holder.kill()

    play(scene)


def test_a_server_that_stops_while_it_copies_lets_the_machine_write_on(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never_done(source: Path, _target: Path) -> None:
        begun.set()
        await asyncio.get_running_loop().create_future()

    begun = asyncio.Event()

    async def scene(shelf: Shelf) -> None:
        volume = await shelf.add_disk()
        holder = _mounted(shelf, volume)
        with monkeypatch.context() as patched:
            patched.setattr(tools, "copy_file", never_done)
            shelf.volumes.snapshots.take(volume)
            await begun.wait()
            await shelf.close()
        (holder.inside / "file").write_text("written")
        shelf.open()
        await shelf.newest(volume, Status.CREATED)
        holder.kill()

    play(scene)
