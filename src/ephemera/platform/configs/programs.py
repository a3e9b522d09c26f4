"""What a machine runs, in what environment, and how it is asked to end."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from signal import Signals

from ephemera.platform import refusals
from ephemera.platform.configs.fields import at_most, one_of, required, text, whole, wrong
from ephemera.wire.config import MachineConfig
from ephemera.wire.durations import parse_duration
from ephemera.wire.programs import EnvFrom, Init, Process, StopConfig

#: Source: the API's documentation of `stop_config`.
STOP_TIMEOUT_MAX_S = 300.0
STOP_TIMEOUT_S = 5.0
STOP_SIGNAL = "SIGINT"
#: Linux takes no longer argument, and no longer `NAME=VALUE`, its final NUL included.
ARGUMENT_BYTES_MAX = 128 * 1024 - 1
#: Each is a program that runs all the time beside the others.
PROCESSES_MAX = 32

FIELD_REFS = ("id", "version", "app_name", "private_ip", "region", "image")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NOT_IN_NAMES = re.compile(r"[=\x00-\x1f\x7f]")


def check(config: MachineConfig) -> None:
    """Check commands, environments and how the machine is stopped."""
    stop_timeout_s(config.stop_config)
    _check_command("config.init", config.init)
    if config.init:
        whole("config.init.swap_size_mb", config.init.swap_size_mb, 0)
    _check_environment("config.env", config.env or {})
    at_most("config.processes", config.processes, PROCESSES_MAX)
    for number, process in enumerate(config.processes or ()):
        _check_process(f"config.processes[{number}]", process)
        if number and not _own_command(process):
            raise refusals.invalid(f"config.processes[{number}] needs exec, entrypoint or cmd")


def command(config: MachineConfig) -> list[str]:
    """Return what the machine runs instead of its image's own command; [] for that.

    It is the command of the first process, else that of `init`; in both, `exec` overrides all.
    """
    first = config.processes[0] if config.processes else None
    return _own_command(first) or _own_command(config.init)


def keeps_entrypoint(config: MachineConfig) -> bool:
    """Whether that comes after the image's entrypoint: only its `cmd` was given another.

    An entrypoint of the config takes the place of the image's, and of its command too.
    """
    first = config.processes[0] if config.processes else None
    part = first if first and _own_command(first) else config.init
    return bool(part and part.cmd and not part.exec and not part.entrypoint)


def commands_beside(config: MachineConfig) -> list[tuple[Process, list[str]]]:
    """Return the other processes, with what they run."""
    return [(process, _own_command(process)) for process in (config.processes or ())[1:]]


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


def _own_command(part: Init | Process | None) -> list[str]:
    if part is None:
        return []
    return list(part.exec or [*(part.entrypoint or ()), *(part.cmd or ())])


def _check_process(where: str, process: Process) -> None:
    _check_command(where, process)
    _check_environment(f"{where}.env", process.env or {})
    _check_env_from(f"{where}.env_from", process.env_from or ())
    text(f"{where}.user", process.user)
    for number, secret in enumerate(process.secrets or ()):
        _check_variable(f"{where}.secrets[{number}].env_var", secret.env_var)
        text(f"{where}.secrets[{number}].name", secret.name)


def _check_command(where: str, part: Init | Process | None) -> None:
    for field in ("exec", "entrypoint", "cmd"):
        words: Sequence[str] = getattr(part, field, None) or ()
        for number, word in enumerate(words):
            if "\0" in word:
                raise wrong(f"{where}.{field}[{number}]", word, "holds a NUL character")
            if len(word.encode()) > ARGUMENT_BYTES_MAX:
                raise wrong(f"{where}.{field}[{number}]", word, _too_long("an argument"))


def _check_environment(where: str, env: Mapping[str, str]) -> None:
    for name, value in env.items():
        if not name or _NOT_IN_NAMES.search(name) or "\0" in value:
            raise refusals.invalid(f"{where} {name[:80]!r} cannot be an environment variable")
        if len(f"{name}={value}".encode()) > ARGUMENT_BYTES_MAX:
            raise refusals.invalid(f"{where} {name[:80]!r} {_too_long('a variable')}")


def _check_env_from(where: str, variables: Sequence[EnvFrom]) -> None:
    for number, one in enumerate(variables):
        _check_variable(f"{where}[{number}].env_var", one.env_var)
        required(f"{where}[{number}].field_ref", one.field_ref)
        one_of(f"{where}[{number}].field_ref", one.field_ref, FIELD_REFS)


def _check_variable(where: str, name: str) -> None:
    required(where, name)
    text(where, name)
    if not _VARIABLE.fullmatch(name):
        raise wrong(where, name, "cannot be an environment variable")


def _too_long(what: str) -> str:
    return f"is longer than {what} can be, {ARGUMENT_BYTES_MAX} bytes"
