"""The options of a task or command, and where a runner finds a task.

Both are checked when a task is declared, that is, whenever a module with tasks is imported, in
machines too. So this module imports next to nothing, and options are a plain dictionary.
"""

from __future__ import annotations

import os
import sys

from ephemera.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TypedDict
else:
    from ephemera.jobs.untyped import TypedDict

#: What each field of a guest must be.
_GUEST_FIELDS = {"cpu_kind": str, "cpus": int, "memory_mb": int}
#: The module names that mean "the file the program was started with"; the last one is the
#: runner's.
_MAIN_NAMES = frozenset({"__main__", "__mp_main__", "__ephemera_main__"})


class Options(TypedDict, total=False):
    """How a task's or command's machines are made; what is left out takes the settings."""

    app: str
    image: str
    region: str
    #: `cpu_kind`, `cpus` and `memory_mb`.
    guest: Mapping[str, Any]
    env: Mapping[str, str]
    #: A volume of the app, and where it is in the machine: `vol_2n0l3vl60qpv635d:/data`.
    volume: str
    #: Seconds the program may run, default 3600.
    timeout: float
    #: Seconds until its machine must have started, default 300.
    start_timeout: float


def check_options(options: Options) -> Options:
    """Return the options.

    Raises:
        ConfigError: one of them cannot be used; the message names it and its value.
    """
    known = Options.__annotations__
    unknown = set(options) - set(known)
    if unknown:
        raise ConfigError(
            f"a task has no option {min(unknown)!r}", hint=f"it has {', '.join(known)}"
        )
    for name in ("app", "image", "region"):
        if not isinstance(options.get(name, ""), str):
            raise ConfigError(f"'{name}' is {options.get(name)!r}, not text")
    for name in ("timeout", "start_timeout"):
        _check_seconds(name, options.get(name, 1.0))
    for name in ("env", "guest"):
        if not hasattr(options.get(name, {}), "items"):
            raise ConfigError(f"'{name}' is {options.get(name)!r}, not a dictionary")
    for name, value in options.get("env", {}).items():
        _check_variable(name, value)
    for name, value in options.get("guest", {}).items():
        _check_guest_field(name, value)
    if "volume" in options:
        _check_volume(options["volume"])
    return options


def _check_guest_field(name: str, value: Any) -> None:
    wanted = _GUEST_FIELDS.get(name)
    if wanted is None:
        raise ConfigError(f"'guest' has no {name!r}", hint=f"it has {', '.join(_GUEST_FIELDS)}")
    if not isinstance(value, wanted) or isinstance(value, bool):
        noun = "text" if wanted is str else "a whole number"
        raise ConfigError(
            f"'{name}' of 'guest' is {value!r}, not {noun}",
            hint='such as guest={"cpu_kind": "shared", "cpus": 1, "memory_mb": 256}',
        )


def _check_volume(value: Any) -> None:
    volume, _, path = value.partition(":") if isinstance(value, str) else ("", "", "")
    if not volume or not path.startswith("/") or "\0" in value:
        raise ConfigError(
            f"'volume' is {value!r}, not a volume's id and a path in the machine",
            hint="such as volume='vol_2n0l3vl60qpv635d:/data'",
        )


def _check_seconds(name: str, value: Any) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 < value < float("inf"):
        raise ConfigError(f"'{name}' is {value!r}; it must be a number of seconds above 0")


def _check_variable(name: object, value: object) -> None:
    if not isinstance(name, str) or not name or "=" in name or "\0" in name:
        raise ConfigError(f"{name!r} cannot be the name of an environment variable")
    if not isinstance(value, str) or "\0" in value:
        raise ConfigError(f"the environment variable '{name}' must be text without zero bytes")


def reference(function: Callable[..., Any]) -> tuple[str, str, str]:
    """Return the module, the name in it, and for a main program its file, of a task.

    Raises:
        ConfigError: it has no name that another process could import: a lambda, a function
            inside a function, or one typed at a prompt.
    """
    qualname = getattr(function, "__qualname__", "")
    if not qualname or "<" in qualname:
        raise ConfigError(
            f"{qualname or function!r} cannot be a task: a machine could not import it",
            hint="declare it with 'def' at the top level of a module",
        )
    module: str = function.__module__
    if module not in _MAIN_NAMES:
        return module, qualname, ""
    return _main_reference(module, qualname)


def _main_reference(module: str, qualname: str) -> tuple[str, str, str]:
    main = sys.modules[module]
    spec = getattr(main, "__spec__", None)
    if spec is not None and spec.name not in _MAIN_NAMES:
        return spec.name, qualname, ""  # started with `python -m`
    file = getattr(main, "__file__", None)
    if not file or not os.path.exists(file):  # noqa: PTH110 - see above
        raise ConfigError(
            f"{qualname} cannot be a task: it was typed at a prompt and is in no file",
            hint="put it into a module",
        )
    return "__ephemera_main__", qualname, os.path.abspath(file)  # noqa: PTH100 - see above
