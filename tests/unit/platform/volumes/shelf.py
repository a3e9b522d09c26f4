"""Volumes on real folders, disks and a real database, without machines and without HTTP."""

from __future__ import annotations

import asyncio
import glob
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from ephemera.platform import migrate
from ephemera.platform.apps.store import AppStore
from ephemera.platform.clock import MovableClock
from ephemera.platform.logs import Logs
from ephemera.platform.records import AppRecord
from ephemera.platform.store import Store
from ephemera.platform.volumes.bodies import CreateVolume
from ephemera.platform.volumes.records import SnapshotRecord, VolumeRecord
from ephemera.platform.volumes.service import Volumes
from ephemera.platform.volumes.states import State, Status

REGIONS = ("iad", "ams")
#: Copies of a few bytes take milliseconds; this long only where something is wrong.
_PATIENCE_S = 100
#: Where volumes, snapshots and unfinished copies are, below the folder of all.
_PLACES = ("*/*", "*/snapshots/*", "new-*")


class Shelf:
    """One state folder; the volumes on it can be let go and opened again.

    Attributes:
        has_disks: Whether volumes can be disks; may change at any time.
    """

    def __init__(self, home: Path, *, has_disks: bool = False) -> None:
        self.home = home
        self.has_disks = has_disks
        self.clock = MovableClock()
        self.app = AppRecord("shelfapp", "shelf", "personal", "", 0.0)

    def open(self) -> None:
        """Open the volumes of the folder."""
        self.store = Store(self.home / "platform.db")
        migrate.upgrade(self.store.engine)
        apps = AppStore(self.store.engine)
        if not apps.living():
            apps.add(self.app)
        self.volumes = Volumes(
            self.store.engine,
            self.home / "volumes",
            self.clock,
            Logs(self.home / "logs", self.clock),
            REGIONS,
            lambda: self.has_disks,
        )
        self.volumes.open()

    async def close(self) -> None:
        """Let go of them, whatever is under way."""
        await self.volumes.close()
        self.store.close()

    async def reopen(self) -> None:
        """Let go of them and open them again."""
        await self.close()
        self.open()

    def add(self, **body: Any) -> VolumeRecord:
        """Create a volume."""
        asked = CreateVolume.model_validate({"name": "data", **body})
        return self.volumes.create(self.app, asked, lambda app_id: app_id == self.app.id)

    async def add_disk(self, **body: Any) -> VolumeRecord:
        """Create a volume as a request does, which is a disk where volumes can be disks."""
        asked = CreateVolume.model_validate({"name": "data", "size_gb": 1, **body})
        async with self.volumes.sizing.blank(asked) as blank:
            return self.volumes.create(self.app, asked, lambda _: True, blank)

    def again(self, volume: VolumeRecord) -> VolumeRecord:
        """Return a volume as it is now."""
        return self.volumes.one(self.app, volume.id)

    def data(self, volume: VolumeRecord) -> Path:
        """Return the folder that a machine would see."""
        return self.home / "volumes" / volume.id / "data"

    def image(self, volume: VolumeRecord) -> Path:
        """Return the disk that a machine would mount."""
        return self.home / "volumes" / volume.id / "data.img"

    def on_disk(self) -> set[str]:
        """Return every folder of volumes and snapshots, and every copy that is being made."""
        root = self.home / "volumes"
        # `Path.glob` fails on a folder that another process removes just then
        found = {one for what in _PLACES for one in glob.iglob(what, root_dir=root)}  # noqa: PTH207
        return {one for one in found if not one.endswith("/snapshots")}

    async def reaches(self, volume: VolumeRecord, state: State) -> VolumeRecord:
        """Return the volume once it is in a state."""
        await self.until(lambda: self.again(volume).state is state)
        return self.again(volume)

    def snapshots(self, volume: VolumeRecord) -> list[SnapshotRecord]:
        """Return the snapshots of a volume, newest first."""
        return self.volumes.snapshots.of(volume)

    async def snapshot(self, volume: VolumeRecord) -> SnapshotRecord:
        """Take a snapshot and return it once it can be restored."""
        self.volumes.snapshots.take(volume)
        return await self.newest(volume, Status.CREATED)

    async def newest(self, volume: VolumeRecord, status: Status) -> SnapshotRecord:
        """Return the newest snapshot of a volume once it has a status."""
        await self.until(lambda: [one.status for one in self.snapshots(volume)][:1] == [status])
        return self.snapshots(volume)[0]

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Return once something is so; what is under way goes on meanwhile."""
        async with asyncio.timeout(_PATIENCE_S):
            while not is_so():  # noqa: ASYNC110 - folders and rows tell nobody of a change
                await asyncio.sleep(0.005)


Scene = Callable[[Shelf], Awaitable[None]]


def play_on(home: Path, scene: Scene, *, has_disks: bool = False) -> None:
    """Run a scene, which is an async function, with a shelf of its own."""

    async def whole() -> None:
        shelf = Shelf(home, has_disks=has_disks)
        shelf.open()
        try:
            await scene(shelf)
        finally:
            await shelf.close()

    asyncio.run(whole())
