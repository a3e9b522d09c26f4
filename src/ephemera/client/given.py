"""What callers give: of the kind that it must be, or a `ConfigError` that names it.

Type checkers tell the same, but not every program has one, and what is not text or not a number
would fail much later, or deep in a library, with words that name nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from ephemera.errors import ConfigError
from ephemera.wire.golang import to_base64

K = TypeVar("K")
V = TypeVar("V")

#: Characters of a wrong value that a message shows.
_SHOWN = 80


def mapping(kind: str, value: Mapping[K, V]) -> dict[K, V]:
    """Return a copy of `value`.

    Raises:
        ConfigError: it is not a mapping.
    """
    if not isinstance(value, Mapping):
        raise ConfigError(f"{kind} is a mapping, not a {type(value).__name__}")
    return dict(value)


def texts(kind: str, value: str | Sequence[str]) -> tuple[str, ...]:
    """Return one text or several as several.

    Raises:
        ConfigError: there is something else in it.
    """
    found: tuple[Any, ...] = (value,)
    if not isinstance(value, str | bytes) and hasattr(value, "__iter__"):
        found = tuple(value)
    for one in found:
        if not isinstance(one, str):
            raise ConfigError(f"{kind} is text, or several texts, not a {type(one).__name__}")
    return found


def commas(kind: str, value: str | Sequence[str] | None) -> str | None:
    """Return several values in the form in which the API takes them in one.

    Raises:
        ConfigError: they are not texts.
    """
    return None if value is None else ",".join(texts(kind, value))


def seconds(kind: str, value: float, *, least: float = 0) -> float:
    """Return `value`, which may be `math.inf`.

    Raises:
        ConfigError: it is not a number, or less than `least`.
    """
    number = isinstance(value, int | float) and not isinstance(value, bool)
    try:
        found = float(value) if number else math.nan
    except OverflowError:  # whole numbers have no end
        found = math.inf
    if not found >= least:  # so that it also catches nan
        raise ConfigError(f"{kind} cannot be {repr(value)[:_SHOWN]} seconds")
    return found


def base64(kind: str, value: bytes) -> str:
    """Return bytes as they travel.

    Raises:
        ConfigError: it is something else, such as text. It is not shown: it may be a secret.
    """
    if not isinstance(value, bytes | bytearray | memoryview):
        raise ConfigError(f"{kind} is bytes, not a {type(value).__name__}")
    return to_base64(bytes(value))
