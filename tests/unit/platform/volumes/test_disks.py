"""Volumes that are disks, as far as none is mounted."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from ephemera.errors import Unsupported
from ephemera.platform import tools
from ephemera.platform.drivers.container import disks as mounting
from ephemera.platform.drivers.container import ext4
from ephemera.platform.records import MachineRecord
from ephemera.platform.refusals import Refusal
from ephemera.platform.volumes import disks
from ephemera.platform.volumes.records import GIB, Room, VolumeRecord
from ephemera.platform.volumes.states import State, Status
from tests import disk_content, needs

from .shelf import Scene, Shelf, play_on

pytestmark = [needs.ext4, needs.linux]

Play = Callable[[Scene], None]

_MIB = 1024**2
_DAY_S = 24 * 3600.0


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Run a scene with a shelf whose volumes are disks."""
    return partial(play_on, tmp_path, has_disks=True)


def _machine(volume: VolumeRecord) -> MachineRecord:
    config = {"mounts": [{"volume": volume.id, "path": "/data"}]}
    return cast("MachineRecord", SimpleNamespace(config=config))


def test_a_disk_whose_monitor_has_just_ended_needs_not_be_thawed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = tmp_path / "data.img"
    image.touch()
    found = iter(["/proc/4194305/root/data", "/proc/4194305/root/data", None])
    monkeypatch.setattr(mounting, "mounted", lambda _: next(found))
    disks.thaw(image)
    assert disks.room(image) == Room(0)


def test_a_disk_that_goes_while_it_is_looked_at_takes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "exists", lambda _: True)
    assert disks.room(tmp_path / "data.img") == Room(0)


async def _snapshots_of_days(shelf: Shelf, volume: VolumeRecord, days: int) -> int:
    """Let days pass, and return how many snapshots there are then."""

    def is_done() -> bool:
        due = shelf.again(volume).backup_at or 0
        made = shelf.snapshots(volume)
        return due > shelf.clock() and all(one.status is Status.CREATED for one in made)

    for _ in range(days):
        shelf.clock.move(_DAY_S + 60)
        await shelf.until(is_done)
    return len(shelf.snapshots(volume))


@pytest.mark.parametrize("size_gb", [1, 500])
def test_a_new_volume_is_a_disk_of_exactly_the_stated_size(play: Play, size_gb: int) -> None:
    async def scene(shelf: Shelf) -> None:
        volume = await shelf.add_disk(size_gb=size_gb)
        found = shelf.image(volume).stat()
        assert found.st_size == size_gb * GIB
        assert found.st_blocks * 512 < 16 * _MIB
        assert found.st_mode & 0o077 == 0
        assert ext4.superblock(str(shelf.image(volume))).total_bytes == size_gb * GIB
        assert shelf.on_disk() == {f"{volume.id}/data.img"}

    play(scene)


def test_what_is_refused_leaves_no_disk(play: Play) -> None:
    async def scene(shelf: Shelf) -> None:
        with pytest.raises(Refusal, match="region"):
            await shelf.add_disk(region="nowhere")
        with pytest.raises(Refusal, match="name"):
            await shelf.add_disk(name="../up")
        assert shelf.on_disk() == set()

    play(scene)


def test_a_disk_for_which_there_is_no_room_is_refused(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no_room(*_command: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tools, "run", no_room)

    async def scene(shelf: Shelf) -> None:
        with pytest.raises(Refusal, match="no capacity: No space left") as refused:
            await shelf.add_disk()
        assert refused.value.code == "insufficient_capacity"
        assert shelf.on_disk() == set()
        assert shelf.volumes.all() == []

    play(scene)


def test_a_disk_that_was_never_given_to_a_volume_is_removed(play: Play) -> None:
    async def scene(shelf: Shelf) -> None:
        root = shelf.home / "volumes"
        root.mkdir()
        (root / "new-01ARZ.img").touch()  # as a server leaves it that is killed
        await shelf.reopen()
        await shelf.until(lambda: shelf.on_disk() == set())

    play(scene)


def test_a_disk_says_by_itself_how_full_it_is(play: Play) -> None:
    async def scene(shelf: Shelf) -> None:
        volume = await shelf.add_disk()
        empty = await shelf.volumes.usage.now(volume.id)
        assert empty.total
        assert empty.available
        assert 0.9 * GIB < empty.available < empty.total < GIB
        assert empty.used < _MIB
        disk_content.write(shelf.image(volume), "file", "x" * _MIB)
        fuller = (await shelf.volumes.usage.last([volume.id]))[volume.id]
        assert fuller.used == empty.used + _MIB
        assert fuller.total == empty.total

    play(scene)


def test_of_a_damaged_disk_it_is_known_what_it_takes(play: Play) -> None:
    async def scene(shelf: Shelf) -> None:
        volume = await shelf.add_disk()
        with shelf.image(volume).open("r+b") as file:
            file.write(bytes(4096))
        taken = shelf.image(volume).stat().st_blocks * 512
        assert await shelf.volumes.usage.now(volume.id) == Room(taken)
        shelf.volumes.extend(volume, 2)
        assert not await shelf.volumes.sizing.settle(volume)
        logs = "".join(path.read_text() for path in shelf.home.glob("logs/**/*") if path.is_file())
        assert f"the file system of volume {volume.id} is damaged" in logs

    play(scene)


def test_an_extended_disk_is_larger_at_once_and_holds_what_it_held(play: Play) -> None:
    async def scene(shelf: Shelf) -> None:
        volume = await shelf.add_disk()
        disk_content.write(shelf.image(volume), "file", "kept")
        for _ in range(2):
            extended = shelf.volumes.extend(shelf.again(volume), 3)
            assert await shelf.volumes.sizing.settle(extended)
        assert ext4.superblock(str(shelf.image(volume))).total_bytes == 3 * GIB
        assert disk_content.read(shelf.image(volume), "file") == "kept"
        assert disk_content.is_whole(shelf.image(volume))

    play(scene)


def test_a_disk_whose_server_was_killed_while_it_was_extended_is_as_large_later(
    play: Play,
) -> None:
    async def scene(shelf: Shelf) -> None:
        volume = await shelf.add_disk()
        shelf.volumes.extend(volume, 2)
        os.truncate(shelf.image(volume), GIB)  # as before the act that follows the write
        await shelf.reopen()
        assert shelf.image(volume).stat().st_size == 2 * GIB

    play(scene)


def test_a_snapshot_of_a_disk_is_restored_to_a_larger_one(play: Play) -> None:
    async def scene(shelf: Shelf) -> None:
        source = await shelf.add_disk()
        disk_content.write(shelf.image(source), "file", "first")
        snapshot = await shelf.snapshot(source)
        assert _MIB < snapshot.size + _MIB < 16 * _MIB
        disk_content.write(shelf.image(source), "more", "second")
        restored = await shelf.add_disk(size_gb=2, snapshot_id=snapshot.id)
        await shelf.reaches(restored, State.CREATED)
        image = shelf.image(restored)
        assert image.stat().st_size == 2 * GIB
        assert (disk_content.read(image, "file"), disk_content.read(image, "more")) == ("first", "")
        assert disk_content.is_whole(image)

    play(scene)


def test_a_fork_of_a_disk_has_a_life_of_its_own(play: Play) -> None:
    async def scene(shelf: Shelf) -> None:
        source = await shelf.add_disk()
        disk_content.write(shelf.image(source), "file", "shared")
        fork = await shelf.add_disk(source_volume_id=source.id)
        await shelf.reaches(fork, State.CREATED)
        disk_content.write(shelf.image(fork), "mine", "alone")
        assert disk_content.read(shelf.image(source), "mine") == ""
        assert disk_content.read(shelf.image(fork), "file") == "shared"

    play(scene)


def test_a_fork_that_is_extended_while_it_is_filled_is_as_large(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_go_on = asyncio.Event()
    copy_file = tools.copy_file

    async def held(source: Path, target: Path) -> None:
        await may_go_on.wait()
        await copy_file(source, target)

    monkeypatch.setattr(tools, "copy_file", held)

    async def scene(shelf: Shelf) -> None:
        source = await shelf.add_disk()
        fork = await shelf.add_disk(source_volume_id=source.id)
        assert await shelf.volumes.sizing.settle(shelf.volumes.extend(fork, 4))
        may_go_on.set()
        await shelf.reaches(fork, State.CREATED)
        await shelf.until(lambda: shelf.image(fork).stat().st_size == 4 * GIB)

    play(scene)


def test_a_disk_that_is_written_to_while_it_is_copied_is_copied_again(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_file = tools.copy_file
    copies = []

    async def disturbed(source: Path, target: Path) -> None:
        await copy_file(source, target)
        copies.append(target)
        if len(copies) == 1:
            disk_content.write(source, "late", "written")

    monkeypatch.setattr(tools, "copy_file", disturbed)

    async def scene(shelf: Shelf) -> None:
        source = await shelf.add_disk()
        fork = await shelf.add_disk(source_volume_id=source.id)
        await shelf.reaches(fork, State.CREATED)
        assert len(copies) == 2
        assert disk_content.read(shelf.image(fork), "late") == "written"

    play(scene)


def test_a_disk_is_backed_up_once_for_each_change(play: Play) -> None:
    async def scene(shelf: Shelf) -> None:
        volume = await shelf.add_disk(snapshot_retention=60)
        assert await _snapshots_of_days(shelf, volume, 3) == 1
        disk_content.write(shelf.image(volume), "file", "changed")
        assert await _snapshots_of_days(shelf, volume, 3) == 2

    play(scene)


def test_a_snapshot_of_a_disk_goes_when_it_has_been_kept_long_enough(play: Play) -> None:
    async def scene(shelf: Shelf) -> None:
        volume = await shelf.add_disk(snapshot_retention=1, auto_backup_enabled=False)
        await shelf.snapshot(volume)
        shelf.clock.move(2 * _DAY_S)
        await shelf.until(lambda: shelf.on_disk() == {f"{volume.id}/data.img"})

    play(scene)


def test_nothing_is_left_of_a_destroyed_disk(play: Play) -> None:
    async def scene(shelf: Shelf) -> None:
        volume = await shelf.add_disk()
        shelf.image(volume).with_suffix(".img.mounted").touch()
        shelf.volumes.destroy(volume)
        await shelf.reaches(volume, State.DESTROYED)
        assert shelf.on_disk() == set()

    play(scene)


def test_snapshots_of_disks_are_no_strays(play: Play) -> None:
    async def scene(shelf: Shelf) -> None:
        volume = await shelf.add_disk()
        snapshot = await shelf.snapshot(volume)
        stray = shelf.home / "volumes" / volume.id / "snapshots" / "vs_nobodys.img"
        stray.touch()
        await shelf.reopen()
        await shelf.until(lambda: not stray.exists())
        restored = await shelf.add_disk(snapshot_id=snapshot.id)
        await shelf.reaches(restored, State.CREATED)

    play(scene)


def test_folders_from_before_stay_folders_and_so_do_their_copies(play: Play) -> None:
    async def scene(shelf: Shelf) -> None:
        shelf.has_disks = False
        folder = await shelf.add_disk()
        (shelf.data(folder) / "file").write_text("kept")
        shelf.has_disks = True
        await shelf.reopen()
        (mount,) = shelf.volumes.mounting.mounts(_machine(folder))
        assert mount.source == str(shelf.data(folder))
        restored = await shelf.add_disk(snapshot_id=(await shelf.snapshot(folder)).id)
        await shelf.reaches(restored, State.CREATED)
        assert (shelf.data(restored) / "file").read_text() == "kept"
        assert await shelf.volumes.sizing.settle(shelf.volumes.extend(folder, 9))

    play(scene)


def test_a_disk_is_refused_by_name_where_it_cannot_be_mounted(play: Play) -> None:
    async def scene(shelf: Shelf) -> None:
        volume = await shelf.add_disk()
        machine = _machine(volume)
        assert shelf.volumes.mounting.place(shelf.app, machine.config, "") == "iad"
        (mount,) = shelf.volumes.mounting.mounts(machine)
        assert mount.source == str(shelf.image(volume))
        shelf.has_disks = False
        with pytest.raises(Refusal, match=f"volume {volume.id} is a disk") as refused:
            shelf.volumes.mounting.place(shelf.app, machine.config, "")
        assert refused.value.status == 400
        with pytest.raises(Unsupported, match=f"volume {volume.id} is a disk"):
            shelf.volumes.mounting.mounts(machine)

    play(scene)


def test_a_copy_of_a_disk_without_room_leaves_no_volume(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no_room(_source: Path, target: Path) -> None:
        os.close(os.open(target, os.O_CREAT))
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tools, "copy_file", no_room)

    async def scene(shelf: Shelf) -> None:
        source = await shelf.add_disk()
        fork = await shelf.add_disk(source_volume_id=source.id)
        await shelf.reaches(fork, State.DESTROYED)
        shelf.volumes.snapshots.take(source)
        await shelf.newest(source, Status.FAILED)
        await shelf.until(lambda: shelf.on_disk() == {f"{source.id}/data.img"})

    play(scene)


def test_making_a_smaller_disk_larger_never_makes_a_larger_one_smaller(tmp_path: Path) -> None:
    image = tmp_path / "data.img"
    image.touch()
    for size, is_then in ((10, 10), (5, 10), (20, 20)):
        disks.enlarge(image, size)
        assert image.stat().st_size == is_then
