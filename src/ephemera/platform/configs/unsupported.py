"""What is right and cannot be done here: refused by name, never silently dropped."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from ephemera.platform import refusals
from ephemera.platform.configs.fields import wrong
from ephemera.platform.drivers.base import Capabilities
from ephemera.wire.config import MachineConfig, Persist

#: No driver can do these. Empty values are accepted, since clients send them.
BY_NO_DRIVER = (
    "containers",
    "volumes",
    "cache_drive",
    "spot",
    "init.kernel_args",
    "guest.kernel_args",
    "guest.gpus",
    "guest.gpu_kind",
    "guest.host_dedication_id",
    "restart.gpu_bid_price",
)
#: `never`, in both forms.
_NOT_PERSISTENT = (None, "never", 0)
_PERSIST_MAX = 3


def check(config: MachineConfig, can: Capabilities, driver: str) -> None:
    """Refuse what this platform cannot do, and what this driver cannot."""
    for path in BY_NO_DRIVER:
        if _is_given(config, path):
            raise refusals.unsupported(f"config.{path} on this platform")
    if config.restart and config.restart.policy == "spot-price":
        raise refusals.unsupported("config.restart.policy 'spot-price' on this platform")
    if config.rootfs:
        _check_persist("config.rootfs.persist", config.rootfs.persist)
    if config.guest:
        _check_persist("config.guest.persist_rootfs", config.guest.persist_rootfs)
    for path, cannot in _beyond(config, can):
        if cannot:
            raise refusals.unsupported(f"{path} with the '{driver}' driver")


def _beyond(config: MachineConfig, can: Capabilities) -> list[tuple[str, bool]]:
    """Return what a driver may not be able to do, and whether this one would have to."""
    processes = config.processes or []
    users = [(number, process.user) for number, process in enumerate(processes) if process.user]
    return [
        ("config.mounts", bool(config.mounts) and not can.mounts),
        ("config.init.tty", bool(config.init and config.init.tty) and not can.terminals),
        ("config.processes: more than one", len(processes) > 1 and not can.processes),
        *(
            (f"config.processes[{number}].user {user!r}", not _can_be(user, can.users))
            for number, user in users
        ),
    ]


def _can_be(user: str, users: frozenset[str] | None) -> bool:
    return users is None or user in users


def _is_given(config: MachineConfig, path: str) -> bool:
    value: Any = config
    for name in path.split("."):
        value = getattr(value, name, None)
    if isinstance(value, BaseModel):
        return bool(value.model_dump(exclude_none=True))
    return bool(value)


def _check_persist(path: str, persist: Persist | None) -> None:
    if isinstance(persist, int) and not 0 <= persist <= _PERSIST_MAX:
        raise wrong(path, persist, f"is not from 0 to {_PERSIST_MAX}")
    if persist not in _NOT_PERSISTENT:
        said = "every boot begins with a fresh file system"
        raise refusals.unsupported(f"{path} {persist!r} on this platform: {said}")
