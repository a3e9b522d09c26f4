"""How large the file system of a machine is."""

from __future__ import annotations

from typing import Any

from ephemera.platform.configs.fields import wrong
from ephemera.wire.config import MachineConfig

#: Source: Fly.io's documentation of a machine's root file system.
_ROOTFS_GB = 8
_ROOTFS_GB_MAX = 500
_GB = 1 << 30


def check(config: MachineConfig) -> None:
    """Check the size that is asked for; 0, as Go programs send it, is none.

    Raises:
        Refusal: there is no such size.
    """
    size_gb = config.rootfs.size_gb if config.rootfs else None
    if size_gb is not None and not 0 <= size_gb <= _ROOTFS_GB_MAX:
        raise wrong("config.rootfs.size_gb", size_gb, f"is not from 1 to {_ROOTFS_GB_MAX}")


def rootfs_bytes(stored: dict[str, Any]) -> int:
    """Return what a machine with this config may write to its own file system."""
    rootfs = stored.get("rootfs") or {}
    return int(rootfs.get("size_gb") or _ROOTFS_GB) * _GB
