"""Volumes and their snapshots as they travel."""

from __future__ import annotations

from ephemera.wire.golang import GoWire


class Volume(GoWire):
    """A disk of its own that a machine can mount, on one host, in one region."""

    id: str = ""
    name: str = ""
    #: `created` is the state to rest in; `restoring` and `hydrating` lead to it, and states such
    #: as `pending_destroy` to `destroyed`.
    state: str = ""
    size_gb: int = 0
    region: str = ""
    zone: str = ""
    encrypted: bool = False
    fstype: str = ""
    #: Days that snapshots are kept, 1 to 60.
    snapshot_retention: int = 0
    auto_backup_enabled: bool = False
    attached_machine_id: str | None = None
    attached_alloc_id: str | None = None
    created_at: str = ""
    host_status: str | None = None
    #: `local` or `cache`.
    type: str | None = None
    block_size: int = 0
    blocks: int = 0
    blocks_avail: int = 0
    blocks_free: int = 0
    bytes_used: int = 0
    bytes_total: int = 0


class ExtendedVolume(GoWire):
    """The answer to extending a volume."""

    volume: Volume
    #: Whether its machine has to be restarted before it sees the room.
    needs_restart: bool = False


class VolumeSnapshot(GoWire):
    """What a volume held at one moment."""

    id: str = ""
    #: `created` when it can be restored.
    status: str = ""
    #: Bytes that the snapshot takes.
    size: int = 0
    #: Bytes of the volume.
    volume_size: int = 0
    digest: str = ""
    created_at: str = ""
    retention_days: int = 0
