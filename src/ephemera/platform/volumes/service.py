"""Volumes: made, filled, mounted, and taken away.

The order is always: write down, then act. A server that was killed in between reads what it had
written and acts again (`open`): a copy that was not finished is made anew, a removal goes on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from ephemera.errors import Stale
from ephemera.platform.clock import Clock
from ephemera.platform.edge import regions
from ephemera.platform.logs import Logs
from ephemera.platform.records import AppRecord
from ephemera.platform.refusals import invalid
from ephemera.platform.volumes import bodies, refusals
from ephemera.platform.volumes.bodies import CreateVolume, UpdateVolume
from ephemera.platform.volumes.folders import Folders
from ephemera.platform.volumes.mounting import Mounting
from ephemera.platform.volumes.records import VolumeRecord
from ephemera.platform.volumes.sizing import Sizing
from ephemera.platform.volumes.snapshots import DAY_S, Snapshots
from ephemera.platform.volumes.sources import Source, Sources
from ephemera.platform.volumes.states import FILLING, LEAVING, Event, State, after
from ephemera.platform.volumes.store import VolumeStore
from ephemera.platform.volumes.usage import Usage
from ephemera.platform.volumes.works import Works, written
from ephemera.wire.ids import new_volume_id

_log = logging.getLogger(__name__)

#: How long a destroyed volume is remembered, as machines are. Looked at when a server starts.
_DESTROYED_KEPT_S = 7 * DAY_S


class Volumes:
    """The volumes of one platform.

    Args:
        root: The folder for their data; made with the first volume.
        available: The codes of the platform's regions.
        has_disks: Whether new volumes are disks of the stated size; else they are folders.

    Attributes:
        mounting: What machines need to know of them.
        snapshots: Those of all volumes.
        sizing: Has them be as large as they are said to be.
        usage: How full they are.
    """

    def __init__(
        self,
        engine: Engine,
        root: Path,
        clock: Clock,
        logs: Logs,
        available: Sequence[str],
        has_disks: Callable[[], bool] = lambda: False,
    ) -> None:
        self._store = VolumeStore(engine)
        self._folders = Folders(root, clock)
        self._sources = Sources(self._store, self._folders)
        self._works = Works()
        self._clock = clock
        self._logs = logs
        self._available = available
        self.sizing = Sizing(self._folders, logs, has_disks)
        self.mounting = Mounting(self._store, self._folders, available, has_disks)
        self.snapshots = Snapshots(self._store, self._folders, self._works, clock, logs)
        self.usage = Usage(self._folders)

    def open(self) -> None:
        """Go on with whatever was under way. Needs a running event loop."""
        volumes = self._store.all()
        self._remove_strays(volumes)
        for volume in volumes:
            if volume.state in FILLING:
                self._begin_filling(volume)
            elif volume.state is State.PENDING_DESTROY:
                self._works.begin(self._remove(volume))
            elif volume.state is State.CREATED:
                self._check_data(volume)
                self.sizing.thaw(volume)
                self.sizing.enlarge(volume)
        self.snapshots.open()

    def forget_destroyed(self) -> int:
        """Forget volumes that were destroyed a week ago; return how many."""
        forgotten = self._store.forget(self._clock() - _DESTROYED_KEPT_S)
        for volume_id in forgotten:
            self._works.begin(self._folders.remove(self._folders.of(volume_id)))
        return len(forgotten)

    async def close(self) -> None:
        """Let go of all; another server goes on from the store."""
        self.snapshots.close()
        await self._works.close()

    # what there is

    def all(self, *, include_deleted: bool = False) -> list[VolumeRecord]:
        """Return the volumes of all apps, oldest first."""
        return [one for one in self._store.all() if include_deleted or one.state not in LEAVING]

    def of_app(self, app: AppRecord) -> list[VolumeRecord]:
        """Return the volumes of an app, oldest first, without those that are gone or to go."""
        return [one for one in self._store.of_app(app.id) if one.state not in LEAVING]

    def count(self, app: AppRecord) -> int:
        """Return how many volumes an app has."""
        return self._store.count(app.id)

    def one(self, app: AppRecord, volume_id: str) -> VolumeRecord:
        """Return a volume of an app, also one that was destroyed.

        Raises:
            Refusal: the app has and had no such volume.
        """
        volume = self._store.volume(volume_id)
        if volume is None or volume.app_id != app.id:
            raise refusals.volume_not_found()
        return volume

    # what callers ask

    def create(
        self,
        app: AppRecord,
        body: CreateVolume,
        may_touch: Callable[[str], bool],
        blank: Path | None = None,
    ) -> VolumeRecord:
        """Make a volume; one that is made from something is filled once this has been answered.

        Args:
            may_touch: Whether the caller may see an app, from its id.
            blank: What `sizing.blank` has made of the same body.

        Raises:
            Refusal: the body is wrong, its source is not there, or the disk is full.
        """
        body.check()
        source = self._sources.asked(body, may_touch)
        volume = self._new(app, body, source)
        self._add(volume, blank)
        if source:
            self._begin_filling(volume)
        self.snapshots.expect()
        return volume

    def update(self, volume: VolumeRecord, body: UpdateVolume) -> VolumeRecord:
        """Change how a volume's snapshots are made from now on.

        Raises:
            Refusal: a value is wrong, or the volume is gone or to go.
        """
        _check_stays(volume)
        bodies.check_retention(body.snapshot_retention)
        changes: dict[str, Any] = {}
        if body.snapshot_retention is not None:
            changes["snapshot_retention"] = body.snapshot_retention
        if body.auto_backup_enabled is not None:
            changes["auto_backup_enabled"] = body.auto_backup_enabled
            changes["backup_at"] = self._backup_at(volume, enabled=body.auto_backup_enabled)
        return self._change(volume, **changes)

    def extend(self, volume: VolumeRecord, size_gb: int) -> VolumeRecord:
        """Give a volume a larger size; `sizing.settle` has its machine see it. Repeating is safe.

        Raises:
            Refusal: it is smaller, or too large, or the volume is gone or to go.
        """
        _check_stays(volume)
        bodies.check_size_gb(size_gb)
        if size_gb < volume.size_gb:
            raise invalid(f"size_gb {size_gb} is less than the volume's {volume.size_gb}")
        extended = self._change(volume, size_gb=size_gb)
        self.sizing.enlarge(extended)
        return extended

    def destroy(self, volume: VolumeRecord) -> VolumeRecord:
        """Have a volume taken away. Repeating is safe.

        Raises:
            Refusal: a machine has it.
        """
        if volume.state in LEAVING:
            return volume
        if volume.attached_machine_id:
            raise refusals.bound(volume.attached_machine_id)
        leaving = self._move(volume, Event.DESTROY, backup_at=None)
        self._works.begin(self._remove(leaving))
        return leaving

    async def drop_app(self, app: AppRecord) -> None:
        """Remove the data of everything that an app has, snapshots too. Repeating is safe."""
        for volume in self._store.of_app(app.id):
            snapshots = [one.id for one in self._store.snapshots_of(volume.id)]
            await self._works.let_go(volume.id, *snapshots)
            await self._folders.remove(self._folders.of(volume.id))

    # what takes time

    def _begin_filling(self, volume: VolumeRecord) -> None:
        self._works.begin(self._fill(volume), volume.id, volume.source_id or "")

    async def _fill(self, volume: VolumeRecord) -> None:
        with suppress(Stale):  # destroyed meanwhile: its removal waits for us to be done
            try:
                await self._copy_into(volume)
            except OSError as error:
                await self._give_up(volume, error)
            else:
                await written(lambda: self._move(volume, Event.FILLED))
                self.sizing.enlarge(self._store.volume(volume.id) or volume)  # extended meanwhile

    async def _copy_into(self, volume: VolumeRecord) -> None:
        source = self._sources.folder(volume)
        if source is None:
            raise FileNotFoundError(f"{volume.source_id} is gone")
        await self._folders.copy(source, self._folders.data(volume.id), volume.bytes_total)

    async def _give_up(self, volume: VolumeRecord, error: OSError) -> None:
        said = f"Volume {volume.id} cannot be filled from {volume.source_id}: {error}"
        self._logs.say(volume.app_id, "", volume.region, said, level="error")
        leaving = await written(lambda: self._move(volume, Event.FILL_FAILED, backup_at=None))
        self._works.begin(self._remove(leaving))

    async def _remove(self, volume: VolumeRecord) -> None:
        await self._works.let_go(volume.id)
        await self._folders.remove_data(volume.id)
        self.usage.forget(volume.id)
        with suppress(Stale):  # gone with its app
            await written(lambda: self._move(volume, Event.REMOVED))

    def _remove_strays(self, volumes: Sequence[VolumeRecord]) -> None:
        known: dict[str, set[str]] = {volume.id: set() for volume in volumes}
        for snapshot in self._store.all_snapshots():
            known[snapshot.volume_id].add(snapshot.id)
        for stray in self._folders.strays(known):
            self._works.begin(self._folders.remove(stray))

    def _check_data(self, volume: VolumeRecord) -> None:
        """Have a volume whose data somebody took away go on empty: its machine could not start."""
        if not self._folders.has(self._folders.data(volume.id)):
            _log.error("volume %s had no data in the state folder; it is empty now", volume.id)
            self._folders.make(volume.id, empty=True)

    # what is written down

    def _new(self, app: AppRecord, body: CreateVolume, source: Source | None) -> VolumeRecord:
        size_gb = body.size_gb or (source.size_gb if source else bodies.SIZE_GB)
        if source and size_gb < source.size_gb:
            raise invalid(f"size_gb {size_gb} is less than the {source.size_gb} of {source.id}")
        now = self._clock()
        automatic = body.auto_backup_enabled is not False
        return VolumeRecord(
            id=new_volume_id(),
            app_id=app.id,
            name=body.name,
            state=source.state if source else State.CREATED,
            region=regions.choose(body.region or "", self._available),
            size_gb=size_gb,
            snapshot_retention=body.snapshot_retention or bodies.RETENTION_DAYS,
            auto_backup_enabled=automatic,
            attached_machine_id=None,
            source_id=source.id if source else None,
            backup_at=now + DAY_S if automatic else None,
            created_at=now,
            updated_at=now,
        )

    def _add(self, volume: VolumeRecord, blank: Path | None) -> None:
        """Write down a volume with its folder: a folder without a row is nobody's."""
        try:
            self._folders.make(volume.id, empty=volume.state is State.CREATED, blank=blank)
            self._store.add(volume)
        except OSError as error:
            self._folders.unmake(volume.id)
            raise refusals.no_capacity(error.strerror or str(error)) from error
        except OperationalError:
            self._folders.unmake(volume.id)
            raise

    def _backup_at(self, volume: VolumeRecord, *, enabled: bool) -> float | None:
        return (volume.backup_at or self._clock() + DAY_S) if enabled else None

    def _move(self, volume: VolumeRecord, event: Event, **changes: Any) -> VolumeRecord:
        return self._change(volume, state=after(volume.state, event), **changes)

    def _change(self, volume: VolumeRecord, **changes: Any) -> VolumeRecord:
        changed = self._store.change(volume, updated_at=self._clock(), **changes)
        self.snapshots.expect()
        return changed


def _check_stays(volume: VolumeRecord) -> None:
    if volume.state in LEAVING:
        raise refusals.volume_not_found()
