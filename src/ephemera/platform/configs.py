"""What is accepted as the config of a machine: checked whole before anything is written.

A field that the platform cannot honour is refused by name, never silently dropped; a field that
nobody knows is kept and given back as it came.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from signal import Signals
from typing import Any

from ephemera.platform import refusals
from ephemera.platform.drivers.base import Capabilities, GuestFile
from ephemera.wire.durations import parse_duration
from ephemera.wire.models import ImageRef, MachineConfig, StopConfig

#: Source: the API's documentation of `stop_config`.
STOP_TIMEOUT_MAX_S = 300.0
STOP_TIMEOUT_S = 5.0
STOP_SIGNAL = "SIGINT"

#: Cpus and the memory they may have, in MB: (least, most for one cpu).
_MEMORY_MB = {"shared": (256, 2048), "performance": (2048, 8192)}
_CPUS = {"shared": (1, 2, 4, 6, 8), "performance": (1, 2, 4, 6, 8, 10, 12, 14, 16)}
_MEMORY_STEP_MB = 256
_SIZE = re.compile(r"(shared-cpu|performance)-(\d{1,2})x")

#: What needs parts that the platform does not have. Empty values are accepted: clients send them.
_NOT_YET = ("schedule", "standbys", "processes", "containers", "volumes", "statics")


def checked(config: MachineConfig, can: Capabilities, driver: str) -> dict[str, Any]:
    """Return the config as it is stored and answered: what was sent, and the defaults.

    Raises:
        Refusal: it is wrong, or this driver cannot do it. The text names the field.
    """
    if not config.image:
        raise refusals.invalid("config.image is required")
    if can.images is not None and config.image not in can.images:
        raise refusals.unsupported(
            f"the '{driver}' driver cannot run image '{config.image}', "
            f"only {', '.join(sorted(can.images))}"
        )
    _check_supported(config, can, driver)
    guest = _guest(config)
    _check_environment(config.env or {})
    _check_command(config)
    stop_timeout_s(config.stop_config)
    guest_files(config)
    if config.restart and config.restart.policy == "spot-price":
        raise refusals.unsupported("restart policy 'spot-price'")
    stored = config.model_dump(exclude_unset=True)
    return {"init": {}} | stored | {"guest": guest}


def stop_signal(stop: StopConfig | None) -> Signals:
    """Return the signal that asks the program to end."""
    return Signals[(stop and stop.signal) or STOP_SIGNAL]


def stop_timeout_s(stop: StopConfig | None) -> float:
    """Return how many seconds the program has to end by itself.

    Raises:
        Refusal: more than the API allows.
    """
    if stop is None or stop.timeout is None:
        return STOP_TIMEOUT_S
    seconds = parse_duration(stop.timeout)
    if seconds > STOP_TIMEOUT_MAX_S:
        raise refusals.stop_timeout_too_long()
    return seconds


def guest_files(config: MachineConfig) -> list[GuestFile]:
    """Return the files that are to be in the machine.

    Raises:
        Refusal: a path that is not absolute or is there twice, or contents that are not base64.
    """
    files: dict[str, GuestFile] = {}
    for number, file in enumerate(config.files or ()):
        where = f"config.files[{number}]"
        path = file.guest_path
        if not path.startswith("/") or ".." in path.split("/") or "\0" in path or path == "/":
            raise refusals.invalid(f"{where}.guest_path '{path}' is not an absolute path")
        if path in files:
            raise refusals.invalid(f"{where}.guest_path '{path}' is there twice")
        if file.secret_name is not None:
            raise refusals.unsupported(f"{where}.secret_name: there are no secrets yet")
        if file.raw_value is None:
            raise refusals.invalid(f"{where} needs a raw_value")
        mode = 0o644 if file.mode is None else file.mode
        if not 0 <= mode <= 0o7777:
            raise refusals.invalid(f"{where}.mode {mode} is not one of chmod's")
        files[path] = GuestFile(path, _decoded(where, file.raw_value), mode)
    return list(files.values())


def command(config: MachineConfig) -> list[str]:
    """Return what the machine runs instead of its image's own command; [] for that."""
    init = config.init
    if init is None:
        return []
    return list(init.exec or [*(init.entrypoint or ()), *(init.cmd or ())])


def image_ref(image: str) -> dict[str, Any]:
    """Take an image reference apart as the Machine object shows it."""
    rest, _, digest = image.partition("@")
    head, slash, tail = rest.partition("/")
    has_registry = bool(slash) and ("." in head or ":" in head or head == "localhost")
    path = tail if has_registry else rest
    repository, colon, tag = path.rpartition(":")
    return ImageRef(
        registry=head if has_registry else "",
        repository=repository if colon else path,
        tag=tag if colon else "",
        digest=digest,
    ).model_dump(exclude_none=True)


def _decoded(where: str, raw_value: str) -> bytes:
    try:
        return base64.b64decode(raw_value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise refusals.invalid(f"{where}.raw_value is not base64: {error}") from None


def _check_supported(config: MachineConfig, can: Capabilities, driver: str) -> None:
    given = config.model_dump(exclude_unset=True)
    for field in _NOT_YET:
        if given.get(field):
            raise refusals.unsupported(f"config.{field} on this platform")
    if config.mounts and not can.mounts:
        raise refusals.unsupported(f"config.mounts with the '{driver}' driver")
    if config.init and config.init.tty:
        raise refusals.unsupported(f"config.init.tty with the '{driver}' driver")


def _guest(config: MachineConfig) -> dict[str, Any]:
    """Return the size of the machine, checked, with what was left out filled in."""
    given = config.guest.model_dump(exclude_none=True) if config.guest else {}
    filled = _named_size(config) | given
    kind, cpus = filled.setdefault("cpu_kind", "shared"), filled.setdefault("cpus", 1)
    if kind not in _CPUS:
        raise refusals.invalid(f"guest.cpu_kind '{kind}' is not one of {', '.join(_CPUS)}")
    if cpus not in _CPUS[kind]:
        allowed = ", ".join(map(str, _CPUS[kind]))
        raise refusals.invalid(f"guest.cpus {cpus} is not one of {allowed} for cpu_kind '{kind}'")
    least, most = (limit * cpus for limit in _MEMORY_MB[kind])
    memory_mb = filled.setdefault("memory_mb", least)
    if not least <= memory_mb <= most or memory_mb % _MEMORY_STEP_MB:
        raise refusals.invalid(
            f"guest.memory_mb {memory_mb} is not a multiple of {_MEMORY_STEP_MB} "
            f"from {least} to {most} for {cpus} {kind} cpus"
        )
    return filled


def _named_size(config: MachineConfig) -> dict[str, Any]:
    """Return what `config.size`, the deprecated name of a size, stands for."""
    size = (config.model_extra or {}).get("size")
    if not size:
        return {}
    named = _SIZE.fullmatch(size) if isinstance(size, str) else None
    if not named:
        raise refusals.invalid(f"config.size {size!r} is not one such as 'shared-cpu-1x'")
    kind = "shared" if named[1] == "shared-cpu" else "performance"
    return {"cpu_kind": kind, "cpus": int(named[2])}


def _check_environment(env: Mapping[str, str]) -> None:
    for name, value in env.items():
        if not name or "=" in name or "\0" in name or "\0" in value:
            raise refusals.invalid(f"config.env {name!r} cannot be an environment variable")


def _check_command(config: MachineConfig) -> None:
    if any("\0" in word for word in command(config)):
        raise refusals.invalid("config.init holds an argument with a NUL character")
