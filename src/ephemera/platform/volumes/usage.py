"""What a volume holds: how much room it takes, and by what it can be told from another.

A folder may hold a million files, so it is looked at in a thread, and never by two at once. A disk
knows by itself how full it is.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from ephemera.platform.volumes import disks
from ephemera.platform.volumes.folders import Folders
from ephemera.platform.volumes.records import Room


def measure(data: Path) -> int:
    """Return how many bytes a disk, or the files below a folder, take; holes take none."""
    return disks.taken(data) if disks.is_disk(data) else _measure(data)


def digest(data: Path) -> str:
    """Return a digest of a disk's size and time, or of those of all below a folder.

    What there is in files is not read, or a snapshot would take as long as reading all of it.
    """
    return _digest_of_disk(data) if disks.is_disk(data) else _digest(data)


def _digest_of_disk(image: Path) -> str:
    """Whatever is written to a disk, and mounting it, changes the time of its file."""
    found = image.stat()
    return hashlib.sha256(f"{found.st_size} {found.st_mtime_ns}".encode()).hexdigest()


def _measure(folder: Path) -> int:
    seen: set[tuple[int, int]] = set()
    total = 0
    for _, status in _walk(folder):
        if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
        total += status.st_blocks * 512
    return total


def _digest(folder: Path) -> str:
    """Return a digest of the names, types, modes, sizes and times of all below a folder."""
    whole = hashlib.sha256()
    for path, status in _walk(folder):
        size = 0 if stat.S_ISDIR(status.st_mode) else status.st_size
        whole.update(path + f"\0{status.st_mode:o} {size} {status.st_mtime_ns}\n".encode())
    return whole.hexdigest()


def _walk(folder: Path) -> Iterator[tuple[bytes, os.stat_result]]:
    """Yield all below a folder, as paths relative to it, in an order that is always the same."""
    root = os.fsencode(folder)
    left = [b""]
    while left:
        inner = left.pop()
        found: list[tuple[bytes, os.stat_result]] = []
        # What is removed meanwhile, or may not be read, is not there for us.
        with suppress(OSError), os.scandir(root + inner) as entries:
            for entry in entries:
                with suppress(OSError):
                    status = entry.stat(follow_symlinks=False)
                    found.append((inner + b"/" + entry.name, status))
        found.sort(key=lambda one: one[0])
        yield from found
        left += [path for path, status in found if stat.S_ISDIR(status.st_mode)]


class Usage:
    """How full volumes are."""

    def __init__(self, folders: Folders) -> None:
        self._folders = folders
        #: Of folders only, which take long.
        self._last: dict[str, Room] = {}
        self._looking: dict[str, asyncio.Task[Room]] = {}

    async def now(self, volume_id: str) -> Room:
        """Return how full a volume is at this moment."""
        looking = self._looking.get(volume_id)
        if looking is None:
            looking = asyncio.get_running_loop().create_task(self._look(volume_id))
            self._looking[volume_id] = looking
            looking.add_done_callback(lambda _: self._looking.pop(volume_id))
        # Whoever asked may leave; the others wait on.
        return await asyncio.shield(looking)

    async def last(self, volume_ids: Iterable[str]) -> dict[str, Room]:
        """Return how full volumes were when each was last looked at, or are now."""
        found: dict[str, Room] = {}
        for volume_id in volume_ids:
            known = self._last.get(volume_id)
            found[volume_id] = await self.now(volume_id) if known is None else known
        return found

    def forget(self, volume_id: str) -> None:
        """Forget a volume that is gone."""
        self._last.pop(volume_id, None)

    async def _look(self, volume_id: str) -> Room:
        data = self._folders.data(volume_id)
        if disks.is_disk(data):
            return await asyncio.to_thread(disks.room, data)
        self._last[volume_id] = Room(await asyncio.to_thread(measure, data))
        return self._last[volume_id]
