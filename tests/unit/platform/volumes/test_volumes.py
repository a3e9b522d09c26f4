"""Volumes from their creation to their end, and what a server that is gone leaves of each step."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from ephemera.platform import tools
from ephemera.platform.apps.store import AppStore
from ephemera.platform.refusals import Refusal
from ephemera.platform.volumes.bodies import UpdateVolume
from ephemera.platform.volumes.records import Room
from ephemera.platform.volumes.states import State, Status
from ephemera.platform.volumes.store import VolumeStore

from .shelf import Shelf

Play = Callable[[Callable[[Shelf], Awaitable[None]]], None]

_DAY_S = 24 * 3600.0


def _begin(target: Path) -> None:
    target.mkdir()
    (target / "half").touch()


async def _half_a_copy(_source: Path, target: Path) -> None:
    """Copy as `tools.copy` does that is cut short: some of it is there, and it never returns."""
    _begin(target)
    await asyncio.get_running_loop().create_future()


async def _no_room(_source: Path, target: Path) -> None:
    _begin(target)
    raise OSError(errno.ENOSPC, "No space left on device")


async def _never_done(_folder: Path) -> None:
    await asyncio.get_running_loop().create_future()


def test_a_new_volume_is_empty_and_for_its_owner_alone(play: Play) -> None:
    async def scene(shelf: Shelf) -> None:
        volume = shelf.add()
        assert volume.state is State.CREATED
        assert (volume.size_gb, volume.snapshot_retention, volume.region) == (3, 5, "iad")
        assert list(shelf.data(volume).iterdir()) == []
        assert shelf.data(volume).stat().st_mode & 0o077 == 0

    play(scene)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 31}, "name"),
        ({"name": "../up"}, "name"),
        ({"name": "da-ta"}, "name"),
        ({"name": "nul\0"}, "name"),
        ({"name": "line\n"}, "name"),
        ({"size_gb": 0}, "size_gb"),
        ({"size_gb": 501}, "size_gb"),
        ({"size_gb": -(10**30)}, "size_gb"),
        ({"snapshot_retention": 0}, "snapshot_retention"),
        ({"snapshot_retention": 61}, "snapshot_retention"),
        ({"fstype": "raw"}, "fstype"),
        ({"fstype": "ntfs"}, "fstype"),
        ({"region": "nowhere"}, "region"),
        ({"region": "../iad"}, "region"),
        ({"snapshot_id": "vs_none"}, "snapshot_id"),
        ({"source_volume_id": "vol_none"}, "source_volume_id"),
        ({"snapshot_id": "vs_a", "source_volume_id": "vol_a"}, "snapshot_id"),
    ],
    ids=str,
)
def test_what_no_volume_can_be_is_refused_and_leaves_nothing(
    play: Play, body: dict[str, Any], named: str
) -> None:
    async def scene(shelf: Shelf) -> None:
        with pytest.raises(Refusal, match=named) as refused:
            shelf.add(**body)
        assert refused.value.status == 400
        assert shelf.volumes.all() == []
        assert not (shelf.home / "volumes").exists()

    play(scene)


def test_a_disk_without_room_is_said_and_nothing_is_written_down(play: Play) -> None:
    async def scene(shelf: Shelf) -> None:
        (shelf.home / "volumes").touch()  # as good as a full disk: no folder can be made
        with pytest.raises(Refusal, match="no capacity") as refused:
            shelf.add()
        assert refused.value.code == "insufficient_capacity"
        assert shelf.volumes.all() == []

    play(scene)


def test_a_fork_has_what_its_source_has_and_a_life_of_its_own(play: Play) -> None:
    async def scene(shelf: Shelf) -> None:
        source = shelf.add(size_gb=5)
        (shelf.data(source) / "file").write_text("first")
        fork = shelf.add(source_volume_id=source.id)
        assert fork.state is State.HYDRATING
        assert fork.size_gb == 5
        await shelf.reaches(fork, State.CREATED)
        (shelf.data(source) / "file").write_text("second")
        assert (shelf.data(fork) / "file").read_text() == "first"

    play(scene)


@pytest.mark.parametrize("kind", ["snapshot_id", "source_volume_id"])
def test_a_volume_is_never_smaller_than_what_it_is_made_from(play: Play, kind: str) -> None:
    async def scene(shelf: Shelf) -> None:
        source = shelf.add(size_gb=5)
        snapshot = await shelf.snapshot(source)
        made_from = {"snapshot_id": snapshot.id, "source_volume_id": source.id}[kind]
        with pytest.raises(Refusal, match="size_gb 4"):
            shelf.add(size_gb=4, **{kind: made_from})

    play(scene)


def test_what_another_may_not_see_is_as_good_as_not_there(play: Play) -> None:
    async def scene(shelf: Shelf) -> None:
        volume = shelf.add()
        snapshot = await shelf.snapshot(volume)
        shelf.app = type(shelf.app)("otherapp", "other", "personal", "", 0.0)
        AppStore(shelf.store.engine).add(shelf.app)
        for kind, made_from in (("snapshot_id", snapshot.id), ("source_volume_id", volume.id)):
            with pytest.raises(Refusal, match="not found"):
                shelf.add(**{kind: made_from})
        with pytest.raises(Refusal, match="volume not found"):
            shelf.again(volume)

    play(scene)


@pytest.mark.parametrize("kind", ["snapshot_id", "source_volume_id"])
def test_a_copy_that_was_cut_short_is_made_anew(
    play: Play, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    async def scene(shelf: Shelf) -> None:
        source = shelf.add()
        (shelf.data(source) / "file").write_text("whole")
        snapshot = await shelf.snapshot(source)
        made_from = {"snapshot_id": snapshot.id, "source_volume_id": source.id}[kind]
        with monkeypatch.context() as patched:
            patched.setattr(tools, "copy", _half_a_copy)
            volume = shelf.add(**{kind: made_from})
            await shelf.until(lambda: any("new-" in name for name in shelf.on_disk()))
            assert not shelf.data(volume).exists()
            await shelf.close()
        shelf.open()
        await shelf.reaches(volume, State.CREATED)
        assert [path.name for path in shelf.data(volume).iterdir()] == ["file"]
        await shelf.until(lambda: not any("new-" in name for name in shelf.on_disk()))

    play(scene)


def test_a_copy_that_was_whole_is_not_made_again(play: Play) -> None:
    async def scene(shelf: Shelf) -> None:
        source = shelf.add()
        fork = await shelf.reaches(shelf.add(source_volume_id=source.id), State.CREATED)
        (shelf.data(fork) / "mine").touch()
        # As a server leaves it that is killed just before it writes that the copy is whole.
        store = VolumeStore(shelf.store.engine)
        store.change(fork, state=State.HYDRATING)
        await shelf.reopen()
        await shelf.reaches(fork, State.CREATED)
        assert (shelf.data(fork) / "mine").exists()

    play(scene)


def test_a_copy_without_room_leaves_no_volume_and_says_why(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tools, "copy", _no_room)

    async def scene(shelf: Shelf) -> None:
        source = shelf.add()
        fork = shelf.add(source_volume_id=source.id)
        await shelf.reaches(fork, State.DESTROYED)
        assert shelf.volumes.of_app(shelf.app) == [source]
        await shelf.until(lambda: shelf.on_disk() == {f"{source.id}/data"})
        logs = "".join(path.read_text() for path in shelf.home.glob("logs/**/*") if path.is_file())
        assert "No space left on device" in logs

    play(scene)


def test_a_source_stays_until_what_is_made_from_it_is_whole(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_go_on = asyncio.Event()
    copy = tools.copy

    async def held(source: Path, target: Path) -> None:
        await may_go_on.wait()
        await copy(source, target)

    monkeypatch.setattr(tools, "copy", held)

    async def scene(shelf: Shelf) -> None:
        source = shelf.add()
        (shelf.data(source) / "file").write_text("still here")
        fork = shelf.add(source_volume_id=source.id)
        assert shelf.volumes.destroy(source).state is State.PENDING_DESTROY
        await shelf.reopen()
        assert shelf.data(source).exists()
        may_go_on.set()
        await shelf.reaches(fork, State.CREATED)
        await shelf.reaches(source, State.DESTROYED)
        assert (shelf.data(fork) / "file").read_text() == "still here"

    play(scene)


def test_a_volume_can_be_destroyed_while_it_is_filled(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tools, "copy", _half_a_copy)

    async def scene(shelf: Shelf) -> None:
        source = shelf.add()
        fork = shelf.add(source_volume_id=source.id)
        await shelf.until(lambda: any("new-" in name for name in shelf.on_disk()))
        shelf.volumes.destroy(shelf.again(fork))
        await shelf.reopen()
        await shelf.reaches(fork, State.DESTROYED)
        await shelf.until(lambda: shelf.on_disk() == {f"{source.id}/data"})

    play(scene)


def test_a_destroyed_volume_is_gone_from_lists_and_disk_and_can_be_read(play: Play) -> None:
    async def scene(shelf: Shelf) -> None:
        volume = shelf.add()
        (shelf.data(volume) / "file").touch()
        shelf.volumes.destroy(volume)
        assert shelf.volumes.of_app(shelf.app) == []
        gone = await shelf.reaches(volume, State.DESTROYED)
        assert not shelf.data(volume).exists()
        assert shelf.volumes.destroy(gone) == gone
        assert shelf.volumes.all(include_deleted=True) == [gone]

    play(scene)


def test_a_removal_that_was_cut_short_goes_on(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(shelf: Shelf) -> None:
        volume = shelf.add()
        with monkeypatch.context() as patched:
            patched.setattr(tools, "remove", _never_done)
            shelf.volumes.destroy(volume)
            await shelf.close()
        shelf.open()
        await shelf.reaches(volume, State.DESTROYED)
        assert not shelf.data(volume).exists()

    play(scene)


def test_a_destroyed_volume_is_forgotten_after_a_week_unless_it_has_snapshots(play: Play) -> None:
    async def scene(shelf: Shelf) -> None:
        bare, kept = shelf.add(), shelf.add(snapshot_retention=30)
        await shelf.snapshot(kept)
        for volume in (bare, kept):
            shelf.volumes.destroy(volume)
            await shelf.reaches(volume, State.DESTROYED)
        shelf.clock.move(6 * _DAY_S)
        assert shelf.volumes.forget_destroyed() == 0
        assert len(shelf.volumes.all(include_deleted=True)) == 2
        shelf.clock.move(2 * _DAY_S)
        assert shelf.volumes.forget_destroyed() == 1
        assert [one.id for one in shelf.volumes.all(include_deleted=True)] == [kept.id]
        await shelf.until(lambda: not (shelf.home / "volumes" / bare.id).exists())

    play(scene)


def test_a_folder_that_nobody_knows_of_is_removed_at_the_start(play: Play) -> None:
    async def scene(shelf: Shelf) -> None:
        volume = shelf.add()
        stray = shelf.home / "volumes" / "vol_ofnobody" / "data"
        stray.mkdir(parents=True)
        snapshot = shelf.data(volume).parent / "snapshots" / "vs_ofnobody"
        snapshot.mkdir()
        await shelf.reopen()
        await shelf.until(lambda: not stray.parent.exists() and not snapshot.exists())
        assert shelf.data(volume).exists()

    play(scene)


def test_a_volume_whose_folder_was_taken_away_goes_on_empty(
    play: Play, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene(shelf: Shelf) -> None:
        volume = shelf.add()
        shelf.data(volume).rmdir()
        await shelf.reopen()
        assert list(shelf.data(volume).iterdir()) == []
        assert volume.id in caplog.text

    play(scene)


def test_everything_of_an_app_goes_with_it(play: Play) -> None:
    async def scene(shelf: Shelf) -> None:
        volume, gone = shelf.add(), shelf.add()
        for one in (volume, gone):
            await shelf.snapshot(one)
        shelf.volumes.destroy(gone)
        await shelf.volumes.drop_app(shelf.app)
        await shelf.volumes.drop_app(shelf.app)
        assert list((shelf.home / "volumes").iterdir()) == []

    play(scene)


def test_a_size_only_grows_and_growing_may_be_repeated(play: Play) -> None:
    async def scene(shelf: Shelf) -> None:
        volume = shelf.volumes.extend(shelf.add(), 10)
        assert shelf.volumes.extend(volume, 10).size_gb == 10
        for size_gb in (9, 501, 0, -1):
            with pytest.raises(Refusal, match="size_gb") as refused:
                shelf.volumes.extend(volume, size_gb)
            assert refused.value.status == 400
        assert shelf.again(volume).size_gb == 10

    play(scene)


def test_a_volume_that_is_going_can_be_neither_changed_nor_copied(play: Play) -> None:
    async def scene(shelf: Shelf) -> None:
        volume = shelf.volumes.destroy(shelf.add())
        for act in (
            lambda: shelf.volumes.extend(volume, 10),
            lambda: shelf.volumes.update(volume, UpdateVolume(snapshot_retention=1)),
            lambda: shelf.volumes.snapshots.take(volume),
        ):
            with pytest.raises(Refusal, match="volume not found") as refused:
                act()
            assert refused.value.status == 404
        with pytest.raises(Refusal, match="not found"):
            shelf.add(source_volume_id=volume.id)

    play(scene)


def test_how_full_it_is_is_looked_at_when_asked(play: Play) -> None:
    async def scene(shelf: Shelf) -> None:
        volume = shelf.add()
        usage = shelf.volumes.usage
        assert await usage.last([volume.id]) == {volume.id: Room(0)}
        (shelf.data(volume) / "file").write_bytes(b"x" * 8192)
        assert await usage.last([volume.id]) == {volume.id: Room(0)}
        assert await asyncio.gather(*(usage.now(volume.id) for _ in range(8))) == [Room(8192)] * 8
        assert await usage.last([volume.id]) == {volume.id: Room(8192)}

    play(scene)


def test_a_snapshot_is_kept_while_a_volume_is_filled_from_it(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(shelf: Shelf) -> None:
        source = shelf.add(snapshot_retention=1, auto_backup_enabled=False)
        (shelf.data(source) / "file").write_text("kept")
        snapshot = await shelf.snapshot(source)
        with monkeypatch.context() as patched:
            patched.setattr(tools, "copy", _half_a_copy)
            volume = shelf.add(snapshot_id=snapshot.id, auto_backup_enabled=False)
            await shelf.until(lambda: any("new-" in name for name in shelf.on_disk()))
            shelf.clock.move(2 * _DAY_S)
            await shelf.close()
        shelf.open()
        await shelf.reaches(volume, State.CREATED)
        assert (shelf.data(volume) / "file").read_text() == "kept"
        await shelf.until(lambda: shelf.snapshots(source) == [])

    play(scene)


def test_only_a_snapshot_that_is_made_can_be_restored(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(shelf: Shelf) -> None:
        volume = shelf.add()
        with monkeypatch.context() as patched:
            patched.setattr(tools, "copy", _no_room)
            pending = shelf.volumes.snapshots.take(volume)
            with pytest.raises(Refusal, match="is pending"):
                shelf.add(snapshot_id=pending.id)
            await shelf.newest(volume, Status.FAILED)
        with pytest.raises(Refusal, match="is failed") as refused:
            shelf.add(snapshot_id=pending.id)
        assert refused.value.status == 412

    play(scene)
