"""Where volumes are in a machine. That they exist, and are free, is for `platform/volumes`."""

from __future__ import annotations

from ephemera.platform import refusals
from ephemera.platform.configs.fields import absolute_path, required, text, whole
from ephemera.wire.config import MachineConfig, Mount

#: Source: the API's documentation.
MOUNTS_MAX = 1
_SIZE_GB_MAX = 500


def check(config: MachineConfig) -> None:
    """Check the mounts of a config."""
    if len(config.mounts or ()) > MOUNTS_MAX:
        raise refusals.invalid(f"config.mounts: a machine has at most {MOUNTS_MAX} volume")
    for number, mount in enumerate(config.mounts or ()):
        _check_mount(f"config.mounts[{number}]", mount)


def _check_mount(where: str, mount: Mount) -> None:
    required(f"{where}.volume", mount.volume)
    text(f"{where}.volume", mount.volume)
    text(f"{where}.name", mount.name)
    absolute_path(f"{where}.path", mount.path or "")
    whole(f"{where}.extend_threshold_percent", mount.extend_threshold_percent, 0, 100)
    for field in ("size_gb", "add_size_gb", "size_gb_limit"):
        whole(f"{where}.{field}", getattr(mount, field), 0, _SIZE_GB_MAX)
