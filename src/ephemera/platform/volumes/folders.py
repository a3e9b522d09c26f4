"""Where the data of volumes and snapshots is.

```
<home>/volumes/<volume id>/
    data/                       what a machine sees
    snapshots/<snapshot id>/    what it was at one moment
    new-<ulid>/                 a copy that is being made, beside what it is renamed to when done
```

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

from ephemera.platform.clock import Clock, sleep
from ephemera.platform.volumes import tools
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

    def of(self, volume_id: str) -> Path:
        """Return the folder of everything of a volume."""
        return self._root / volume_id

    def data(self, volume_id: str) -> Path:
        """Return the folder that a machine sees."""
        return self.of(volume_id) / "data"

    def snapshot(self, volume_id: str, snapshot_id: str) -> Path:
        """Return the folder of a snapshot."""
        return self.of(volume_id) / "snapshots" / snapshot_id

    def make(self, volume_id: str, *, empty: bool) -> None:
        """Make the folder of a volume, with no data in it, or without a place for data yet.

        Raises:
            OSError: there is no room for it.
        """
        folder = self.of(volume_id)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (folder / "snapshots").mkdir(exist_ok=True, mode=0o700)
        if empty:
            self.data(volume_id).mkdir(exist_ok=True, mode=0o700)

    def unmake(self, volume_id: str) -> None:
        """Take the folder of a volume away again, as far as it was made."""
        shutil.rmtree(self.of(volume_id), ignore_errors=True)

    def has(self, folder: Path) -> bool:
        """Whether a folder is there, and so all that it is to hold."""
        return folder.is_dir()

    async def copy(self, source: Path, target: Path) -> None:
        """Copy a folder to `target`, unless that is there already.

        Raises:
            OSError: it could not be copied, and there is no target.
        """
        if self.has(target):
            return
        fresh = target.with_name(f"{_FRESH}{new_ulid()}")
        try:
            await tools.copy(source, fresh)
            fresh.rename(target)
        except OSError:
            with suppress(OSError):
                await tools.remove(fresh)
            raise

    async def remove(self, folder: Path) -> None:
        """Remove a folder, and return when nothing of it is left. Repeating is safe."""
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
            found += (one for one in snapshots if one.name not in known[folder.name])
        return found
