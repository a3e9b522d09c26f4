"""What is accepted as the config of a machine: checked whole before anything is written.

A field that the platform cannot honour is refused by name, never silently dropped; a field that
nobody knows is kept and given back as it came.
"""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from ephemera.platform.configs import (
    checks,
    disks,
    files,
    guests,
    images,
    lives,
    mounts,
    names,
    programs,
    services,
    unsupported,
)
from ephemera.platform.drivers.base import Capabilities
from ephemera.wire.config import MachineConfig


def checked(config: MachineConfig, can: Capabilities, driver: str) -> dict[str, Any]:
    """Return the config as it is stored and answered: what was sent, and the defaults.

    Raises:
        Refusal: it is wrong, or this driver cannot do it. The text names the field.
    """
    images.check(config.image, can, driver)
    unsupported.check(config, can, driver)
    guest = guests.filled(config)
    programs.check(config)
    files.check(config.files or ())
    lives.check(config)
    names.check(config)
    mounts.check(config)
    disks.check(config)
    services.check(config)
    checks.health_checks(config)
    return _answered(config.model_dump(exclude_unset=True)) | {"guest": guest}


def stored(config: dict[str, Any]) -> MachineConfig:
    """Return the config of a machine from its record.

    It was accepted once, perhaps by an older version that looked at less of it. A part that this
    one cannot read is left out, so that the machine can still be moved.
    """
    try:
        return MachineConfig.model_validate(config)
    except ValidationError as error:
        unreadable = {str(one["loc"][0]) for one in error.errors()}
        kept = {name: part for name, part in config.items() if name not in unreadable}
        return MachineConfig.model_validate(kept)


def _answered(sent: dict[str, Any]) -> dict[str, Any]:
    """Return what was sent in the real API's form, which always has `init` and `dns`."""
    always = {"init": sent.get("init") or {}, "dns": sent.get("dns") or {}}
    if not sent.get("services"):
        return sent | always
    return sent | always | {"services": services.answered(sent["services"])}
