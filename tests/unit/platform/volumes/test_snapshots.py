"""Snapshots: taken when asked and once a day, kept for as long as was said."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from ephemera.platform import tools
from ephemera.platform.refusals import Refusal
from ephemera.platform.volumes.bodies import UpdateVolume
from ephemera.platform.volumes.records import GIB
from ephemera.platform.volumes.states import State, Status

from .shelf import Shelf

Play = Callable[[Callable[[Shelf], Awaitable[None]]], None]

_DAY_S = 24 * 3600.0


def _begin(target: Path) -> None:
    target.mkdir()


async def _never_done(_source: Path, target: Path) -> None:
    _begin(target)
    await asyncio.get_running_loop().create_future()


async def _no_room(_source: Path, _target: Path) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_snapshot_is_what_the_volume_was(play: Play) -> None:
    async def scene(shelf: Shelf) -> None:
        volume = shelf.add(size_gb=2, snapshot_retention=7)
        (shelf.data(volume) / "file").write_bytes(b"x" * 4096)
        snapshot = await shelf.snapshot(volume)
        (shelf.data(volume) / "file").unlink()
        assert snapshot.size == 4096
        assert snapshot.volume_size == 2 * GIB
        assert snapshot.retention_days == 7
        assert snapshot.expires_at == snapshot.created_at + 7 * _DAY_S
        restored = await shelf.reaches(shelf.add(snapshot_id=snapshot.id), State.CREATED)
        assert restored.size_gb == 2
        assert (shelf.data(restored) / "file").read_bytes() == b"x" * 4096

    play(scene)


def test_its_digest_tells_what_changed_from_what_did_not(play: Play) -> None:
    async def scene(shelf: Shelf) -> None:
        volume = shelf.add()
        (shelf.data(volume) / "file").write_text("one")
        first, same = await shelf.snapshot(volume), await shelf.snapshot(volume)
        (shelf.data(volume) / "file").write_text("other")
        other = await shelf.snapshot(volume)
        assert first.digest == same.digest != other.digest

    play(scene)


def test_while_one_is_made_there_is_no_other(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "copy", _never_done)

    async def scene(shelf: Shelf) -> None:
        volume = shelf.add()
        shelf.volumes.snapshots.take(volume)
        with pytest.raises(Refusal, match="snapshot is already scheduled at 2") as refused:
            shelf.volumes.snapshots.take(volume)
        assert refused.value.status == 412
        shelf.volumes.snapshots.take(shelf.add())

    play(scene)


def test_one_that_was_cut_short_is_made_by_the_next_server(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(shelf: Shelf) -> None:
        volume = shelf.add()
        (shelf.data(volume) / "file").touch()
        with monkeypatch.context() as patched:
            patched.setattr(tools, "copy", _never_done)
            begun = shelf.volumes.snapshots.take(volume)
            await shelf.until(lambda: any("new-" in name for name in shelf.on_disk()))
            await shelf.close()
        shelf.open()
        made = await shelf.newest(volume, Status.CREATED)
        assert made.id == begun.id
        expected = {f"{volume.id}/data", f"{volume.id}/snapshots/{made.id}"}
        await shelf.until(lambda: shelf.on_disk() == expected)

    play(scene)


def test_one_without_room_has_failed_and_the_next_may_follow(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(shelf: Shelf) -> None:
        volume = shelf.add()
        with monkeypatch.context() as patched:
            patched.setattr(tools, "copy", _no_room)
            shelf.volumes.snapshots.take(volume)
            failed = await shelf.newest(volume, Status.FAILED)
        assert failed.size == 0
        assert shelf.on_disk() == {f"{volume.id}/data"}
        assert (await shelf.snapshot(volume)).id != failed.id

    play(scene)


def test_each_is_dropped_when_its_days_are_over(play: Play) -> None:
    async def scene(shelf: Shelf) -> None:
        volume = shelf.add(snapshot_retention=2, auto_backup_enabled=False)
        short = await shelf.snapshot(volume)
        shelf.volumes.update(volume, UpdateVolume(snapshot_retention=10))
        long = await shelf.snapshot(shelf.again(volume))
        shelf.clock.move(2 * _DAY_S - 60)
        await asyncio.sleep(0)
        assert [one.id for one in shelf.snapshots(volume)] == [long.id, short.id]
        shelf.clock.move(120)
        expected = {f"{volume.id}/data", f"{volume.id}/snapshots/{long.id}"}
        await shelf.until(lambda: shelf.on_disk() == expected)
        assert [one.id for one in shelf.snapshots(volume)] == [long.id]

    play(scene)


def test_what_expired_while_nobody_served_is_dropped_at_the_start(play: Play) -> None:
    async def scene(shelf: Shelf) -> None:
        volume = shelf.add(snapshot_retention=1, auto_backup_enabled=False)
        await shelf.snapshot(volume)
        await shelf.close()
        shelf.clock.move(2 * _DAY_S)
        shelf.open()
        assert shelf.snapshots(volume) == []
        await shelf.until(lambda: shelf.on_disk() == {f"{volume.id}/data"})

    play(scene)


def test_those_of_a_destroyed_volume_can_be_restored(play: Play) -> None:
    async def scene(shelf: Shelf) -> None:
        volume = shelf.add()
        (shelf.data(volume) / "file").write_text("saved")
        snapshot = await shelf.snapshot(volume)
        shelf.volumes.destroy(volume)
        await shelf.reaches(volume, State.DESTROYED)
        restored = await shelf.reaches(shelf.add(snapshot_id=snapshot.id), State.CREATED)
        assert (shelf.data(restored) / "file").read_text() == "saved"

    play(scene)


def test_one_is_taken_each_day_where_something_changed(play: Play) -> None:
    async def scene(shelf: Shelf) -> None:
        volume = shelf.add(snapshot_retention=60)
        (shelf.data(volume) / "file").write_text("day one")
        shelf.clock.move(_DAY_S)
        first = await shelf.newest(volume, Status.CREATED)
        shelf.clock.move(_DAY_S)
        await shelf.until(lambda: (shelf.again(volume).backup_at or 0) > shelf.clock())
        await shelf.until(lambda: [one.id for one in shelf.snapshots(volume)] == [first.id])
        (shelf.data(volume) / "file").write_text("day three")
        shelf.clock.move(_DAY_S)
        await shelf.until(lambda: [one.status for one in shelf.snapshots(volume)][1:] != [])
        await shelf.newest(volume, Status.CREATED)

    play(scene)


def test_a_volume_that_never_changes_is_never_without_one(play: Play) -> None:
    async def scene(shelf: Shelf) -> None:
        volume = shelf.add(snapshot_retention=2)
        shelf.clock.move(_DAY_S)
        first = await shelf.newest(volume, Status.CREATED)
        shelf.clock.move(_DAY_S)
        await shelf.until(lambda: shelf.snapshots(volume)[0].id != first.id)
        await shelf.newest(volume, Status.CREATED)

    play(scene)


def test_one_that_was_missed_is_made_up_for_once(play: Play) -> None:
    async def scene(shelf: Shelf) -> None:
        volume = shelf.add(snapshot_retention=60)
        await shelf.close()
        shelf.clock.move(5 * _DAY_S)
        shelf.open()
        await shelf.newest(volume, Status.CREATED)
        assert len(shelf.snapshots(volume)) == 1

    play(scene)


def test_none_is_taken_by_itself_where_that_is_turned_off(play: Play) -> None:
    async def scene(shelf: Shelf) -> None:
        never = shelf.add(auto_backup_enabled=False)
        not_any_more = shelf.add()
        shelf.volumes.update(not_any_more, UpdateVolume(auto_backup_enabled=False))
        again = shelf.volumes.update(never, UpdateVolume(auto_backup_enabled=True))
        shelf.volumes.update(again, UpdateVolume(auto_backup_enabled=False))
        gone = shelf.volumes.destroy(shelf.add())
        due = shelf.add()
        shelf.clock.move(_DAY_S)
        await shelf.newest(due, Status.CREATED)
        assert [shelf.snapshots(one) for one in (never, not_any_more, gone)] == [[], [], []]

    play(scene)
