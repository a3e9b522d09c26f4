"""The config of a machine, from the platform's side: what is accepted, and what it means.

`checked` goes through all of it, one module for each area. The shapes are in `wire/config.py`.
"""

from ephemera.platform.configs.checks import HealthCheck, health_checks
from ephemera.platform.configs.disks import rootfs_bytes
from ephemera.platform.configs.files import guest_files
from ephemera.platform.configs.images import image_ref
from ephemera.platform.configs.programs import (
    STOP_TIMEOUT_MAX_S,
    command,
    commands_beside,
    keeps_entrypoint,
    stop_signal,
    stop_timeout_s,
)
from ephemera.platform.configs.whole import checked, stored

__all__ = [
    "STOP_TIMEOUT_MAX_S",
    "HealthCheck",
    "checked",
    "command",
    "commands_beside",
    "guest_files",
    "health_checks",
    "image_ref",
    "keeps_entrypoint",
    "rootfs_bytes",
    "stop_signal",
    "stop_timeout_s",
    "stored",
]
