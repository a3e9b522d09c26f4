"""The bodies of requests about volumes, and what is allowed in them.

Source of the limits: Fly's documentation of volumes.
"""

from __future__ import annotations

import re

from ephemera.platform.refusals import invalid, unsupported
from ephemera.wire.config import Guest
from ephemera.wire.resource import Wire

_NAME = re.compile(r"[A-Za-z0-9_]{1,30}")
SIZE_GB, SIZE_GB_MAX = 3, 500
RETENTION_DAYS, RETENTION_DAYS_MAX = 5, 60


class CreateVolume(Wire):
    """A new volume: empty, or with what a snapshot or another volume holds."""

    name: str
    region: str | None = None
    size_gb: int | None = None
    snapshot_retention: int | None = None
    auto_backup_enabled: bool | None = None
    fstype: str | None = None
    snapshot_id: str | None = None
    source_volume_id: str | None = None
    #: Of no effect: no driver encrypts, there is one computer, and it has room or has not.
    encrypted: bool | None = None
    require_unique_zone: bool | None = None
    unique_zone_app_wide: bool | None = None
    compute: Guest | None = None
    compute_image: str | None = None

    def check(self) -> None:
        """Check everything that can be checked without knowing the app.

        Raises:
            Refusal: the text names the field.
        """
        if not _NAME.fullmatch(self.name):
            raise invalid(
                f"name {self.name[:80]!r} is not letters, digits and underscores, 30 at most"
            )
        if self.fstype == "raw":
            raise unsupported("fstype 'raw': a volume of this platform is mounted, never a device")
        if self.fstype not in (None, "", "ext4"):
            raise invalid(f"fstype {self.fstype[:80]!r} is not one of ext4, raw")
        if self.snapshot_id and self.source_volume_id:
            raise invalid("snapshot_id and source_volume_id cannot both be given")
        check_size_gb(self.size_gb)
        check_retention(self.snapshot_retention)


class UpdateVolume(Wire):
    """What may change of a volume."""

    snapshot_retention: int | None = None
    auto_backup_enabled: bool | None = None


class ExtendVolume(Wire):
    """A larger size."""

    size_gb: int


def check_size_gb(size_gb: int | None) -> None:
    """Let a size pass that a volume can have.

    Raises:
        Refusal: it cannot.
    """
    if size_gb is not None and not 1 <= size_gb <= SIZE_GB_MAX:
        raise invalid(f"size_gb {size_gb} is not from 1 to {SIZE_GB_MAX}")


def check_retention(days: int | None) -> None:
    """Let a number of days pass for which snapshots can be kept.

    Raises:
        Refusal: they cannot.
    """
    if days is not None and not 1 <= days <= RETENTION_DAYS_MAX:
        raise invalid(f"snapshot_retention {days} is not from 1 to {RETENTION_DAYS_MAX} days")
