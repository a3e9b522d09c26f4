"""Volumes and snapshots in the platform's database: one transaction for each write.

Nothing is kept in memory: a machine's creation and end write to the same rows, see
`attachments.py`, and reading one takes a tenth of a millisecond.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Engine, delete, func, insert, select, update

from ephemera.errors import Stale
from ephemera.platform import schema
from ephemera.platform.columns import columns_of, row_of
from ephemera.platform.volumes.records import SnapshotRecord, VolumeRecord
from ephemera.platform.volumes.states import LEAVING, State, Status

_volume, _snapshot = schema.volumes.c, schema.snapshots.c


class VolumeStore:
    """The volumes and snapshots of all apps, on the engine of the platform's store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    # volumes

    def add(self, volume: VolumeRecord) -> None:
        """Write down a new volume."""
        with self._engine.begin() as connection:
            connection.execute(insert(schema.volumes), row_of(volume))

    def change(self, old: VolumeRecord, **changes: Any) -> VolumeRecord:
        """Change a volume.

        Raises:
            Stale: its state is not any more what `old` says, or it is gone; nothing was written.
        """
        this = (_volume.id == old.id) & (_volume.state == old.state)
        with self._engine.begin() as connection:
            written = connection.execute(update(schema.volumes).where(this).values(changes))
            if written.rowcount != 1:
                raise Stale(f"volume {old.id} is not '{old.state}' any more")
        return replace(old, **changes)

    def volume(self, volume_id: str) -> VolumeRecord | None:
        """Return one volume, alive or destroyed."""
        found = self._volumes(_volume.id == volume_id)
        return found[0] if found else None

    def of_app(self, app_id: str) -> list[VolumeRecord]:
        """Return every volume of an app, destroyed ones too, oldest first."""
        return self._volumes(_volume.app_id == app_id)

    def all(self) -> list[VolumeRecord]:
        """Return every volume, destroyed ones too, oldest first."""
        return self._volumes(_volume.id.is_not(None))

    def count(self, app_id: str) -> int:
        """Return how many volumes an app has, without those that are gone or to go."""
        its = (_volume.app_id == app_id) & _volume.state.not_in(LEAVING)
        with self._engine.connect() as connection:
            return connection.execute(select(func.count()).where(its)).scalar_one()

    def forget(self, before: float) -> Sequence[str]:
        """Delete volumes that were destroyed before a time and have no snapshot any more.

        Returns:
            Their ids.
        """
        gone = (_volume.state == State.DESTROYED) & (_volume.updated_at < before)
        unused = _volume.id.not_in(select(_snapshot.volume_id))
        with self._engine.connect() as connection:
            ids = connection.execute(select(_volume.id).where(gone & unused)).scalars().all()
        if ids:
            with self._engine.begin() as connection:
                connection.execute(delete(schema.volumes).where(_volume.id.in_(ids)))
        return ids

    def _volumes(self, condition: Any) -> list[VolumeRecord]:
        query = (
            select(*columns_of(schema.volumes, VolumeRecord))
            .where(condition)
            .order_by(_volume.created_at, _volume.id)
        )
        with self._engine.connect() as connection:
            return [
                VolumeRecord(**{**row, "state": State(row["state"])})
                for row in connection.execute(query).mappings()
            ]

    # snapshots

    def add_snapshot(self, snapshot: SnapshotRecord) -> None:
        """Write down a new snapshot."""
        with self._engine.begin() as connection:
            connection.execute(insert(schema.snapshots), row_of(snapshot))

    def add_backup(self, snapshot: SnapshotRecord, next_at: float) -> None:
        """Write down a snapshot that was due, and when the next one is."""
        this = update(schema.volumes).where(_volume.id == snapshot.volume_id)
        with self._engine.begin() as connection:
            connection.execute(insert(schema.snapshots), row_of(snapshot))
            connection.execute(this.values(backup_at=next_at))

    def finish_snapshot(self, snapshot_id: str, status: Status, **seen: Any) -> None:
        """Write down what became of a pending snapshot. Nothing is done if it is not there."""
        this = (_snapshot.id == snapshot_id) & (_snapshot.status == Status.PENDING)
        with self._engine.begin() as connection:
            query = update(schema.snapshots).where(this)
            connection.execute(query.values(status=status, **seen))

    def drop_snapshot(self, snapshot_id: str) -> None:
        """Forget a snapshot. Repeating is safe."""
        with self._engine.begin() as connection:
            connection.execute(delete(schema.snapshots).where(_snapshot.id == snapshot_id))

    def snapshot(self, snapshot_id: str) -> SnapshotRecord | None:
        """Return one snapshot."""
        found = self._snapshots(_snapshot.id == snapshot_id)
        return found[0] if found else None

    def snapshots_of(self, volume_id: str) -> list[SnapshotRecord]:
        """Return the snapshots of a volume, newest first."""
        return self._snapshots(_snapshot.volume_id == volume_id)

    def all_snapshots(self) -> list[SnapshotRecord]:
        """Return every snapshot, newest first."""
        return self._snapshots(_snapshot.id.is_not(None))

    def _snapshots(self, condition: Any) -> list[SnapshotRecord]:
        query = (
            select(*columns_of(schema.snapshots, SnapshotRecord))
            .where(condition)
            .order_by(_snapshot.created_at.desc(), _snapshot.id.desc())
        )
        with self._engine.connect() as connection:
            return [
                SnapshotRecord(**{**row, "status": Status(row["status"])})
                for row in connection.execute(query).mappings()
            ]

    # what is due

    def expired(self, now: float) -> list[SnapshotRecord]:
        """Return the snapshots that are not kept any longer, and that nobody needs."""
        return self._snapshots(_MAY_EXPIRE & (_snapshot.expires_at <= now))

    def backups_due(self, now: float) -> list[VolumeRecord]:
        """Return the volumes of which a snapshot is due."""
        return self._volumes((_volume.state == State.CREATED) & (_volume.backup_at <= now))

    def next_due(self) -> float | None:
        """Return when the next snapshot expires or is due; None for never."""
        expiry = select(func.min(_snapshot.expires_at)).where(_MAY_EXPIRE)
        backup = select(func.min(_volume.backup_at)).where(_volume.state == State.CREATED)
        with self._engine.connect() as connection:
            found = [connection.execute(query).scalar() for query in (expiry, backup)]
        return min((when for when in found if when is not None), default=None)


#: It is made, and no volume is being filled from it.
_MAY_EXPIRE = (_snapshot.status != Status.PENDING) & _snapshot.id.not_in(
    select(_volume.source_id).where(_volume.state == State.RESTORING)
)
