"""What is in a folder: how much room it takes, and by what it can be told from another.

A folder may hold a million files, so it is looked at in a thread, and never by two at once.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from ephemera.platform.volumes.folders import Folders


def measure(folder: Path) -> int:
    """Return how many bytes the files below a folder take on the disk; holes take none."""
    seen: set[tuple[int, int]] = set()
    total = 0
    for _, status in _walk(folder):
        if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
        total += status.st_blocks * 512
    return total


def digest(folder: Path) -> str:
    """Return a digest of the names, types, modes, sizes and times of all below a folder.

    What the files hold is not read, or a snapshot would take as long as reading all of it.
    """
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
        self._last: dict[str, int] = {}
        self._looking: dict[str, asyncio.Task[int]] = {}

    async def now(self, volume_id: str) -> int:
        """Return how many bytes a volume's data takes at this moment."""
        looking = self._looking.get(volume_id)
        if looking is None:
            looking = asyncio.get_running_loop().create_task(self._look(volume_id))
            self._looking[volume_id] = looking
            looking.add_done_callback(lambda _: self._looking.pop(volume_id))
        # Whoever asked may leave; the others wait on.
        return await asyncio.shield(looking)

    async def last(self, volume_ids: Iterable[str]) -> dict[str, int]:
        """Return how many bytes volumes took when each was last looked at, or take now."""
        found: dict[str, int] = {}
        for volume_id in volume_ids:
            known = self._last.get(volume_id)
            found[volume_id] = await self.now(volume_id) if known is None else known
        return found

    def forget(self, volume_id: str) -> None:
        """Forget a volume that is gone."""
        self._last.pop(volume_id, None)

    async def _look(self, volume_id: str) -> int:
        used = await asyncio.to_thread(measure, self._folders.data(volume_id))
        self._last[volume_id] = used
        return used
