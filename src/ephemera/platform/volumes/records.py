"""What the platform knows of volumes and snapshots: values, read from the store."""

from __future__ import annotations

from dataclasses import dataclass

from ephemera.platform.volumes.states import State, Status

GIB = 1024**3


@dataclass(frozen=True, slots=True)
class VolumeRecord:
    """A volume, alive or destroyed. The columns are described in `platform/schema.py`."""

    id: str
    app_id: str
    name: str
    state: State
    region: str
    size_gb: int
    snapshot_retention: int
    auto_backup_enabled: bool
    attached_machine_id: str | None
    source_id: str | None
    backup_at: float | None
    created_at: float
    updated_at: float

    @property
    def bytes_total(self) -> int:
        """How much it is said to hold."""
        return self.size_gb * GIB


@dataclass(frozen=True, slots=True)
class Room:
    """How full a volume is; bytes."""

    used: int
    #: How much files can take in all; None where nothing holds it to the stated size.
    total: int | None = None
    #: How much they can still take; None likewise.
    available: int | None = None


@dataclass(frozen=True, slots=True)
class SnapshotRecord:
    """What a volume held at one moment."""

    id: str
    volume_id: str
    app_id: str
    status: Status
    #: Bytes that the snapshot takes on the disk; 0 until it is created.
    size: int
    #: Bytes that the volume was said to hold.
    volume_size: int
    #: Empty until it is created.
    digest: str
    retention_days: int
    created_at: float
    expires_at: float
