"""Snapshots: copies of what a volume holds, made while its machine runs on.

```
asked, or due ──► pending (written down) ──copied──► created ──retention──► gone
                        └──────────── no room ─────► failed ──────┘
```

A copy is what a disk would hold if the power went: no file is torn that was not being written to,
and a database that survives a crash survives being restored. Of a volume that is a disk it is that
of one moment, for which writes wait; of a folder, file by file. Each is kept for as many days as
its volume said when it was made, also when the volume is destroyed.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from sqlalchemy.exc import OperationalError

from ephemera.platform.clock import Alarm, Clock
from ephemera.platform.logs import Logs, timestamp
from ephemera.platform.volumes import refusals
from ephemera.platform.volumes.folders import Folders
from ephemera.platform.volumes.records import SnapshotRecord, VolumeRecord
from ephemera.platform.volumes.states import LEAVING, State, Status
from ephemera.platform.volumes.store import VolumeStore
from ephemera.platform.volumes.usage import digest, measure
from ephemera.platform.volumes.works import Works, written
from ephemera.wire.ids import new_snapshot_id

_log = logging.getLogger(__name__)

DAY_S = 24 * 3600.0
#: The time of day may jump, and a laptop sleeps: nothing relies on a longer alarm than this.
_LOOK_S = 3600.0


class Snapshots:
    """The snapshots of all volumes: made, and dropped when they have been kept long enough."""

    def __init__(
        self, store: VolumeStore, folders: Folders, works: Works, clock: Clock, logs: Logs
    ) -> None:
        self._store = store
        self._folders = folders
        self._works = works
        self._clock = clock
        self._logs = logs
        self._alarm: Alarm | None = None

    def open(self) -> None:
        """Go on with what was under way, and do what became due since."""
        for snapshot in self._store.all_snapshots():
            if snapshot.status is Status.PENDING:
                self._works.begin(self._make(snapshot), snapshot.volume_id, snapshot.id)
        self._do_what_is_due()

    def close(self) -> None:
        """Do nothing more by the clock."""
        if self._alarm:
            self._alarm.cancel()

    def take(self, volume: VolumeRecord) -> SnapshotRecord:
        """Write down a snapshot of a volume and have it made.

        Raises:
            Refusal: one is being made already, or the volume has no data, or not any more.
        """
        if volume.state in LEAVING:
            raise refusals.volume_not_found()
        if volume.state is not State.CREATED:
            raise refusals.wrong_state("snapshot", volume.state)
        pending = self._pending(volume)
        if pending:
            raise refusals.already_scheduled(timestamp(pending.created_at))
        snapshot = self._new(volume)
        self._store.add_snapshot(snapshot)
        self._works.begin(self._make(snapshot), volume.id, snapshot.id)
        return snapshot

    def of(self, volume: VolumeRecord) -> list[SnapshotRecord]:
        """Return the snapshots of a volume, newest first."""
        return self._store.snapshots_of(volume.id)

    def expect(self) -> None:
        """Look at when something is due next, after that has changed."""
        self.close()
        due = self._store.next_due()
        if due is not None:
            when = min(due, self._clock() + _LOOK_S)
            self._alarm = self._clock.call_at(when, self._do_what_is_due)

    # by the clock

    def _do_what_is_due(self) -> None:
        try:
            now = self._clock()
            for snapshot in self._store.expired(now):
                self._drop(snapshot)
            for volume in self._store.backups_due(now):
                self._back_up(volume, now)
            self.expect()
        except OperationalError:
            _log.exception("what is due for volumes has to wait")
            self._alarm = self._clock.call_at(self._clock() + _LOOK_S, self._do_what_is_due)

    def _drop(self, snapshot: SnapshotRecord) -> None:
        # The row first: from now on nobody begins to restore it. A folder that nobody knows of
        # is removed by the next server at the latest.
        self._store.drop_snapshot(snapshot.id)
        self._works.begin(self._remove(snapshot))

    def _back_up(self, volume: VolumeRecord, now: float) -> None:
        snapshot = self._new(volume)
        self._store.add_backup(snapshot, now + DAY_S)
        self._works.begin(self._make(snapshot, if_changed=True), volume.id, snapshot.id)

    # what takes time

    async def _make(self, snapshot: SnapshotRecord, *, if_changed: bool = False) -> None:
        source = self._folders.data(snapshot.volume_id)
        target = self._folders.snapshot(snapshot.volume_id, snapshot.id)
        if if_changed and await self._is_unchanged(snapshot):
            await written(lambda: self._store.drop_snapshot(snapshot.id))
            return
        try:
            made = await self._folders.copy(source, target)
        except OSError as error:
            self._say_failed(snapshot, error)
            await written(lambda: self._store.finish_snapshot(snapshot.id, Status.FAILED))
        else:
            await self._finish(snapshot, made)
        self.expect()

    async def _finish(self, snapshot: SnapshotRecord, made: Path) -> None:
        size = await asyncio.to_thread(measure, made)
        name = await asyncio.to_thread(digest, made)
        seen = {"size": size, "digest": name}
        await written(lambda: self._store.finish_snapshot(snapshot.id, Status.CREATED, **seen))

    async def _is_unchanged(self, snapshot: SnapshotRecord) -> bool:
        """Whether the volume has a snapshot like this one, which lasts until the next is due."""
        made = [
            one
            for one in self._store.snapshots_of(snapshot.volume_id)
            if one.status is Status.CREATED and one.expires_at > snapshot.created_at + DAY_S
        ]
        source = self._folders.data(snapshot.volume_id)
        return bool(made) and await asyncio.to_thread(digest, source) == made[0].digest

    async def _remove(self, snapshot: SnapshotRecord) -> None:
        await self._works.let_go(snapshot.id)
        await self._folders.remove(self._folders.snapshot(snapshot.volume_id, snapshot.id))

    # values

    def _pending(self, volume: VolumeRecord) -> SnapshotRecord | None:
        made = self._store.snapshots_of(volume.id)
        return next((one for one in made if one.status is Status.PENDING), None)

    def _new(self, volume: VolumeRecord) -> SnapshotRecord:
        now = self._clock()
        return SnapshotRecord(
            id=new_snapshot_id(),
            volume_id=volume.id,
            app_id=volume.app_id,
            status=Status.PENDING,
            size=0,
            volume_size=volume.bytes_total,
            digest="",
            retention_days=volume.snapshot_retention,
            created_at=now,
            expires_at=now + volume.snapshot_retention * DAY_S,
        )

    def _say_failed(self, snapshot: SnapshotRecord, error: OSError) -> None:
        said = f"Snapshot {snapshot.id} of volume {snapshot.volume_id} failed: {error}"
        self._logs.say(snapshot.app_id, "", "", said, level="error")
