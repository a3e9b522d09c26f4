"""Volumes: disks of their own that outlive machines, and snapshots of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ephemera.client.call import Call, app_path, encode, lister, nothing, pairs, reader, segment
from ephemera.wire.models import Guest
from ephemera.wire.volumes import ExtendedVolume, Volume, VolumeSnapshot


def list_(app: str, *, summary: bool = False) -> Call[list[Volume]]:
    """Return the volumes of an app.

    Args:
        summary: Leave out what costs the API time to find out, such as how full they are.
    """
    return Call(
        doing=f"listing the volumes of app {app!r}",
        method="GET",
        path=app_path(app, "/volumes"),
        query=pairs(summary=summary),
        read=lister(Volume),
        repeatable=True,
    )


def create(
    app: str,
    *,
    name: str,
    region: str | None = None,
    size_gb: int | None = None,
    encrypted: bool | None = None,
    fstype: str | None = None,
    snapshot_id: str | None = None,
    source_volume_id: str | None = None,
    snapshot_retention: int | None = None,
    auto_backup_enabled: bool | None = None,
    require_unique_zone: bool | None = None,
    unique_zone_app_wide: bool | None = None,
    compute: Guest | Mapping[str, Any] | None = None,
    compute_image: str | None = None,
) -> Call[Volume]:
    """Create a volume and return it.

    Never repeated by itself: names need not be unique, so nobody could tell two apart.

    Args:
        name: Lower-case letters, digits and underscores.
        region: The API chooses where none is given. Machines that mount it run there.
        size_gb: The API's default is 3.
        encrypted: The API's default is yes.
        fstype: `"ext4"`, the default, or `"raw"`.
        snapshot_id: Begin with what this snapshot holds.
        source_volume_id: Begin with what this volume holds.
        snapshot_retention: Days, 1 to 60, that its snapshots are kept. The default is 5.
        auto_backup_enabled: Take a snapshot every day. The API's default is yes.
        require_unique_zone: On other hardware than the app's volumes of the same name. The
            API's default is yes.
        unique_zone_app_wide: On other hardware than all volumes of the app.
        compute: The guest of the machine that will mount it, so that its host has room.
        compute_image: The image of that machine.

    Raises:
        NoCapacity: there is no room in the region.
        NoAnswer: it may have been made: list the volumes.

    Source: https://fly.io/docs/machines/api/volumes-resource/
    """
    doing = f"creating volume {name!r} of app {app!r}"
    body = {
        "name": name,
        "region": region,
        "size_gb": size_gb,
        "encrypted": encrypted,
        "fstype": fstype,
        "snapshot_id": snapshot_id,
        "source_volume_id": source_volume_id,
        "snapshot_retention": snapshot_retention,
        "auto_backup_enabled": auto_backup_enabled,
        "require_unique_zone": require_unique_zone,
        "unique_zone_app_wide": unique_zone_app_wide,
        "compute": compute,
        "compute_image": compute_image,
    }
    return Call(
        doing=doing,
        method="POST",
        path=app_path(app, "/volumes"),
        body=encode(doing, body),
        read=reader(Volume),
    )


def get(app: str, volume_id: str) -> Call[Volume]:
    """Return a volume; for some days also one that is destroyed.

    Raises:
        NotFound: there is no such volume, or no such app.
    """
    return Call(
        doing=f"getting volume {volume_id!r} of app {app!r}",
        method="GET",
        path=_path(app, volume_id),
        read=reader(Volume),
        repeatable=True,
    )


def update(
    app: str,
    volume_id: str,
    *,
    snapshot_retention: int | None = None,
    auto_backup_enabled: bool | None = None,
) -> Call[Volume]:
    """Change what can be changed of a volume, and return it. Safe to repeat.

    Args:
        snapshot_retention: Days, 1 to 60, that its snapshots are kept.
        auto_backup_enabled: Take a snapshot every day.
    """
    doing = f"updating volume {volume_id!r} of app {app!r}"
    body = {"snapshot_retention": snapshot_retention, "auto_backup_enabled": auto_backup_enabled}
    return Call(
        doing=doing,
        method="PUT",
        path=_path(app, volume_id),
        body=encode(doing, body),
        read=reader(Volume),
        repeatable=True,
    )


def delete(app: str, volume_id: str) -> Call[Volume]:
    """Delete a volume and return what it was. Its snapshots are kept for their time.

    Raises:
        WrongState: a machine has it.
        NotFound: there is no such volume; after a lost answer it may have been this very call.
    """
    return Call(
        doing=f"deleting volume {volume_id!r} of app {app!r}",
        method="DELETE",
        path=_path(app, volume_id),
        read=reader(Volume),
        repeatable=True,
    )


def extend(app: str, volume_id: str, *, size_gb: int) -> Call[ExtendedVolume]:
    """Make a volume larger. Safe to repeat.

    Args:
        size_gb: The size that it is to have; a volume cannot become smaller.
    """
    doing = f"extending volume {volume_id!r} of app {app!r}"
    return Call(
        doing=doing,
        method="PUT",
        path=_path(app, volume_id, "/extend"),
        body=encode(doing, {"size_gb": size_gb}),
        read=reader(ExtendedVolume),
        repeatable=True,
    )


def snapshots(app: str, volume_id: str) -> Call[list[VolumeSnapshot]]:
    """Return the snapshots of a volume."""
    return Call(
        doing=f"listing the snapshots of volume {volume_id!r} of app {app!r}",
        method="GET",
        path=_path(app, volume_id, "/snapshots"),
        read=lister(VolumeSnapshot),
        repeatable=True,
    )


def create_snapshot(app: str, volume_id: str) -> Call[None]:
    """Begin to take a snapshot of a volume; `snapshots` tells when it is `created`.

    Raises:
        WrongState: another one is on its way.
        NoAnswer: it may have been begun: list the snapshots.
    """
    return Call(
        doing=f"taking a snapshot of volume {volume_id!r} of app {app!r}",
        method="POST",
        path=_path(app, volume_id, "/snapshots"),
        # What the API answers is neither documented nor of any use.
        read=nothing,
    )


def _path(app: str, volume_id: str, tail: str = "") -> str:
    return app_path(app, "/volumes/" + segment("a volume's id", volume_id) + tail)
