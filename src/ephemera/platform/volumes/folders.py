"""Where the data of volumes and snapshots is.

```
<home>/volumes/
    new-<ulid>.img              an empty disk for a volume that is about to be made
    <volume id>/
        data/, data.img         what a machine sees: a folder, or a disk, see `disks.py`
        data.img.mounted        who mounted the disk last
        snapshots/<snapshot id> what it was at one moment; with `.img` that of a disk
        new-<ulid>              a copy that is being made, beside what it is renamed to when done
```

Whether a volume is a folder or a disk is what there is of it. A copy is what its source is.

A copy is there whole or not at all. One that was not renamed is worth nothing, and is removed
when a server starts; the name is new each time, since a tool of a server that was killed may
still be writing. No part of a path is anything that a caller chose.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping, Set
from contextlib import suppress
from pathlib import Path

from ephemera.platform import tools
from ephemera.platform.clock import Clock, sleep
from ephemera.platform.volumes import disks
from ephemera.wire.ids import new_ulid

_log = logging.getLogger(__name__)

_FRESH = "new-"
#: How long to wait before removing again what could not be removed.
_REMOVE_RETRY_S = 30.0


class Folders:
    """The folders of all volumes."""

    def __init__(self, root: Path, clock: Clock) -> None:
        self._root = root
        self._clock = clock
        self._copies = disks.Copies()

    def of(self, volume_id: str) -> Path:
        """Return the folder of everything of a volume."""
        return self._root / volume_id

    def data(self, volume_id: str) -> Path:
        """Return the folder or the disk that a machine sees."""
        return _which(self.of(volume_id) / "data")

    def snapshot(self, volume_id: str, snapshot_id: str) -> Path:
        """Return the folder or the disk of a snapshot."""
        return _which(self.of(volume_id) / "snapshots" / snapshot_id)

    async def blank(self, size_bytes: int) -> Path:
        """Make an empty disk for a volume that is about to be made.

        Raises:
            OSError: there is no room for it, and nothing of it is left.
        """
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = self._root / f"{_FRESH}{new_ulid()}{disks.SUFFIX}"
        try:
            await disks.make(fresh, size_bytes)
        except BaseException:
            fresh.unlink(missing_ok=True)
            raise
        return fresh

    def make(self, volume_id: str, *, empty: bool, blank: Path | None = None) -> None:
        """Make the folder of a volume, with no data in it, or without a place for data yet.

        Args:
            blank: The disk that is to be its data; without one an empty folder is.

        Raises:
            OSError: there is no room for it.
        """
        folder = self.of(volume_id)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (folder / "snapshots").mkdir(exist_ok=True, mode=0o700)
        if blank:
            blank.rename(folder / f"data{disks.SUFFIX}")
        elif empty:
            self.data(volume_id).mkdir(exist_ok=True, mode=0o700)

    def unmake(self, volume_id: str) -> None:
        """Take the folder of a volume away again, as far as it was made."""
        shutil.rmtree(self.of(volume_id), ignore_errors=True)

    def has(self, data: Path) -> bool:
        """Whether a folder or a disk is there, and so all that it is to hold."""
        return data.is_file() if disks.is_disk(data) else data.is_dir()

    async def copy(self, source: Path, target: Path, size_bytes: int = 0) -> Path:
        """Copy a folder or a disk to `target`, unless that is there, and return where it is.

        Args:
            size_bytes: How large the copy of a disk is at least.

        Raises:
            OSError: it could not be copied, and there is no target.
        """
        if self.has(target):
            return target
        fresh = target.with_name(f"{_FRESH}{new_ulid()}")
        try:
            if disks.is_disk(source):
                await self._copies.make(source, fresh)
                disks.enlarge(fresh, size_bytes)
            else:
                await tools.copy(source, fresh)
            return fresh.rename(target.with_suffix(source.suffix))
        except OSError:
            with suppress(OSError):
                await tools.remove(fresh)
            raise

    async def remove_data(self, volume_id: str) -> None:
        """Remove what a machine saw, and return when nothing of it is left. Repeating is safe."""
        for one in ("data", f"data{disks.SUFFIX}", f"data{disks.SUFFIX}.mounted"):
            await self.remove(self.of(volume_id) / one)

    async def remove(self, folder: Path) -> None:
        """Remove a folder or a file, and return when it is gone. Repeating is safe."""
        while True:
            try:
                return await tools.remove(folder)
            except OSError:
                _log.exception("%s cannot be removed", folder)
            await sleep(self._clock, _REMOVE_RETRY_S)

    def strays(self, known: Mapping[str, Set[str]]) -> list[Path]:
        """Return what there is on the disk that no record speaks of.

        Args:
            known: The ids of the snapshots of each volume.
        """
        found: list[Path] = []
        for folder in self._root.iterdir() if self._root.is_dir() else ():
            if folder.name not in known:
                found.append(folder)
                continue
            found += folder.glob(f"{_FRESH}*")
            snapshots = folder.glob("snapshots/*")
            found += (one for one in snapshots if one.stem not in known[folder.name])
        return found


def _which(folder: Path) -> Path:
    """Return the disk in the place of a folder, where there is one."""
    disk = folder.with_suffix(disks.SUFFIX)
    return disk if disk.exists() else folder
