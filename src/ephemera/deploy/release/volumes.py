"""A volume for a new machine whose config names one: one that nobody has, or a new one.

Volumes are never deleted by a release, also not by one that failed: what is on them is not ours.
"""

from __future__ import annotations

from ephemera.client import Client
from ephemera.deploy.release.telling import Tell
from ephemera.wire.models import MachineConfig
from ephemera.wire.volumes import Volume

#: In GB, where the `fly.toml` does not say; as in Fly's client.
SIZE_GB = 1


def mounted(
    client: Client, app: str, config: MachineConfig, region: str | None, tell: Tell
) -> tuple[MachineConfig, str | None]:
    """Return a config in which each mount has its volume, and the region it is in.

    Args:
        region: Where the machine is to be; None where any region will do.

    Raises:
        NoCapacity: there is no room for a volume.
    """
    mounts = []
    for mount in config.mounts or ():
        if mount.volume is None:
            volume = _found(client, app, mount.name or "data", region) or _made(
                client, app, mount.name or "data", region, mount.size_gb or SIZE_GB, tell
            )
            mount = mount.model_copy(update={"volume": volume.id})
            region = volume.region or region
        mounts.append(mount)
    return config.model_copy(update={"mounts": mounts or None}), region


def _found(client: Client, app: str, name: str, region: str | None) -> Volume | None:
    """Return a volume of this name that no machine has."""
    return next(
        (
            one
            for one in client.volumes.list(app)
            if one.name == name
            and one.state == "created"
            and not one.attached_machine_id
            and region in (None, one.region)
        ),
        None,
    )


def _made(
    client: Client, app: str, name: str, region: str | None, size_gb: int, tell: Tell
) -> Volume:
    tell(f"creating volume {name}, {size_gb} GB")
    return client.volumes.create(app, name=name, region=region, size_gb=size_gb)
