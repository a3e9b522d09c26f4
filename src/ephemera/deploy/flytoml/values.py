"""The kinds of values in a `fly.toml`, and how each may be written.

Every function returns what a value means, or raises a ValueError that says what is expected there.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from ephemera.wire.durations import parse_duration

_MEGABYTES = {"k": 1 / 1024, "m": 1, "g": 1024, "t": 1024 * 1024}
_SIZE = re.compile(r"(\d+)\s*(?:([kmgt])i?b?)?", re.IGNORECASE)
#: A check that is to be made more often than this is one whose unit was forgotten.
_LEAST_MS = 100


def _port(value: object) -> int:
    """Read a port; text is taken too, as Fly's own client takes it."""
    number = int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value
    if isinstance(number, int) and not isinstance(number, bool) and 1 <= number <= 65535:
        return number
    raise ValueError("a number from 1 to 65535")


def _seconds(value: object) -> float:
    """Read a duration; a bare number is seconds."""
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        try:
            return parse_duration(value)
        except ValueError:
            pass
    raise ValueError("a duration such as '10s' or '1m30s', or a number of seconds")


def _check_time(value: object) -> float:
    """Read a duration of a check; a bare whole number is milliseconds, as in Fly's older files."""
    if not isinstance(value, int) or isinstance(value, bool):
        return _seconds(value)
    if value < _LEAST_MS:
        raise ValueError(f"a duration such as '10s'; a bare number is milliseconds: {value}")
    return value / 1000


def _size(unit: str) -> Callable[[object], int]:
    """Return what reads a size in whole units of `m` or `g`; a bare number is in that unit."""
    example = "'512mb' or '1gb', or a number of MB" if unit == "m" else "'10gb', or a number of GB"

    def read(value: object) -> int:
        found = _SIZE.fullmatch(str(value).strip()) if type(value) in (int, str) else None
        if found:
            megabytes = int(found[1]) * _MEGABYTES[(found[2] or unit).lower()]
            size = megabytes / _MEGABYTES[unit]
            if size >= 1 and size.is_integer():
                return int(size)
        raise ValueError(f"a size such as {example}")

    return read


def _autostop(value: object) -> object:
    """Read what becomes of an idle machine: a word, or yes and no, as in older files."""
    if isinstance(value, bool):
        return "stop" if value else "off"
    if value in ("off", "stop", "suspend"):
        return value
    raise ValueError("'off', 'stop' or 'suspend'")


def _environment(value: object) -> object:
    """Read variables: numbers and yes or no become text."""
    if not isinstance(value, dict):
        return value
    return {name: _text(held) for name, held in value.items()}


def _text(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


def _groups(value: object) -> object:
    """Read process groups; older files of Fly's own say `processes = []` where there are none."""
    return {} if value == [] else value


def _listed(value: object) -> object:
    """Read tables, or one: `[mounts]` and `[[mounts]]` are the same."""
    if isinstance(value, dict):
        return (value,)
    return tuple(value) if isinstance(value, list) else value


def words(value: str) -> str:
    """Return a command, or nothing, if it can be cut into words as a shell would."""
    try:
        shlex.split(value)
    except ValueError as error:
        raise ValueError(f"a command ({str(error).lower()})") from None
    return value


def command(value: str) -> str:
    """Return a command, if it can be cut into words, of which there are any."""
    if not shlex.split(words(value)):
        raise ValueError("a command; it is empty")
    return value


Port = Annotated[int, BeforeValidator(_port)]
#: In seconds.
Seconds = Annotated[float, BeforeValidator(_seconds)]
#: In seconds, but written in milliseconds where it is a bare number.
CheckTime = Annotated[float, BeforeValidator(_check_time)]
Megabytes = Annotated[int, BeforeValidator(_size("m"))]
Gigabytes = Annotated[int, BeforeValidator(_size("g"))]
Autostop = Annotated[Literal["off", "stop", "suspend"], BeforeValidator(_autostop)]
Environment = Annotated[dict[str, str], BeforeValidator(_environment)]
Groups = BeforeValidator(_groups)
Listed = BeforeValidator(_listed)
#: What is passed on as it is.
Raw = dict[str, Any]
