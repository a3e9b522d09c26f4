"""How volumes and snapshots look on the wire."""

from __future__ import annotations

from typing import Any

from ephemera.platform.logs import timestamp
from ephemera.platform.volumes.records import Room, SnapshotRecord, VolumeRecord

_BLOCK_BYTES = 4096
#: The one computer that everything is on.
_ZONE = "local"


def volume(record: VolumeRecord, room: Room | None) -> dict[str, Any]:
    """Return a volume.

    Args:
        room: How full it is; None to leave that out.
    """
    shown: dict[str, Any] = {
        "id": record.id,
        "name": record.name,
        "state": record.state,
        "size_gb": record.size_gb,
        "region": record.region,
        "zone": _ZONE,
        "encrypted": False,  # the truth, whatever was asked for
        "fstype": "ext4",
        "type": "local",
        "snapshot_retention": record.snapshot_retention,
        "auto_backup_enabled": record.auto_backup_enabled,
        "created_at": timestamp(record.created_at),
        "host_status": "ok",
    }
    if record.attached_machine_id:
        shown["attached_machine_id"] = record.attached_machine_id
    return shown if room is None else shown | _fill(record, room)


def listed(record: VolumeRecord, app_name: str, room: Room | None) -> dict[str, Any]:
    """Return a volume as it is in the list of an organisation."""
    times = {"updated_at": timestamp(record.updated_at)}
    return volume(record, room) | {"app_name": app_name} | times


def _fill(record: VolumeRecord, room: Room) -> dict[str, int]:
    total = record.bytes_total if room.total is None else room.total
    free = max(0, total - room.used)
    available = free if room.available is None else room.available
    return {
        "block_size": _BLOCK_BYTES,
        "blocks": total // _BLOCK_BYTES,
        "blocks_free": free // _BLOCK_BYTES,
        "blocks_avail": available // _BLOCK_BYTES,
        "bytes_used": room.used,
        "bytes_total": total,
    }


def snapshot(record: SnapshotRecord) -> dict[str, Any]:
    """Return a snapshot in a list."""
    return {
        "id": record.id,
        "size": record.size,
        "volume_size": record.volume_size,
        "digest": record.digest,
        "created_at": timestamp(record.created_at),
        "status": record.status,
        "retention_days": record.retention_days,
    }


def snapshot_begun(record: SnapshotRecord) -> dict[str, Any]:
    """Return a snapshot that was asked for, in the form seen from the real API."""
    backup = {
        "id": record.id,
        "app_id": record.app_id,
        "volume_id": record.volume_id,
        "state": record.status,
        "type": "BACKUP_TYPE_ON_DEMAND",
    }
    return {"Msg": {"backup": backup}}
