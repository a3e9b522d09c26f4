"""A disk that is too small for a copy costs the copy, and nothing else."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import pytest

from ephemera.platform.refusals import Refusal
from ephemera.platform.volumes.records import VolumeRecord
from ephemera.platform.volumes.states import State, Status
from tests import disk_content, needs
from tests.unit.platform.volumes.shelf import Shelf

pytestmark = [
    pytest.mark.root,
    needs.root,
]

_MIB = 1024**2


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    """A shelf whose volumes have room for four megabytes and a few folders, all together."""
    disk = tmp_path / "volumes"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,nr_inodes=40", "none", disk], check=True)
    yield Shelf(tmp_path)
    subprocess.run(["umount", "--lazy", disk], check=True)


def _added(shelf: Shelf) -> VolumeRecord | None:
    try:
        return shelf.add()
    except Refusal:
        return None


async def _add_disks(shelf: Shelf, made: list[VolumeRecord]) -> None:
    """Make disks until there is no room for one more, and 40 at most."""
    while len(made) < 40:
        made.append(await shelf.add_disk(size_gb=10))


def test_a_copy_without_room_is_given_up_and_its_room_is_free_again(shelf: Shelf) -> None:
    async def scene() -> None:
        shelf.open()
        source = shelf.add()
        (shelf.data(source) / "file").write_bytes(os.urandom(3 * _MIB))
        fork = shelf.add(source_volume_id=source.id)
        await shelf.reaches(fork, State.DESTROYED)
        shelf.volumes.snapshots.take(source)
        await shelf.newest(source, Status.FAILED)
        assert shelf.on_disk() == {f"{source.id}/data"}
        (shelf.data(source) / "file").write_bytes(os.urandom(_MIB))
        await shelf.snapshot(source)
        await shelf.reaches(shelf.add(source_volume_id=source.id), State.CREATED)
        await shelf.close()

    asyncio.run(scene())


def test_a_volume_for_which_there_is_no_room_at_all_is_refused(shelf: Shelf) -> None:
    async def scene() -> None:
        shelf.open()
        made = list(takewhile(bool, (_added(shelf) for _ in range(40))))
        assert 0 < len(made) < 20
        with pytest.raises(Refusal, match="no capacity: No space left on device"):
            shelf.add()
        assert shelf.volumes.all() == made
        assert shelf.on_disk() == {f"{volume.id}/data" for volume in made if volume}
        await shelf.close()

    asyncio.run(scene())


@needs.ext4
def test_a_disk_for_which_there_is_no_room_is_refused_and_leaves_nothing(shelf: Shelf) -> None:
    async def scene() -> None:
        shelf.has_disks = True
        shelf.open()
        made: list[VolumeRecord] = []
        with pytest.raises(Refusal, match="no capacity") as refused:
            await _add_disks(shelf, made)
        assert refused.value.code == "insufficient_capacity"
        assert len(made) < 40
        assert shelf.volumes.all() == made
        assert shelf.on_disk() == {f"{volume.id}/data.img" for volume in made}
        await shelf.close()

    asyncio.run(scene())


@needs.ext4
def test_a_copy_of_a_disk_without_room_is_given_up(shelf: Shelf) -> None:
    async def scene() -> None:
        shelf.has_disks = True
        shelf.open()
        source = await shelf.add_disk()
        disk_content.write(shelf.image(source), "file", "x" * (2 * _MIB))
        fork = await shelf.add_disk(source_volume_id=source.id)
        await shelf.reaches(fork, State.DESTROYED)
        shelf.volumes.snapshots.take(source)
        await shelf.newest(source, Status.FAILED)
        assert shelf.on_disk() == {f"{source.id}/data.img"}
        await shelf.close()

    asyncio.run(scene())
