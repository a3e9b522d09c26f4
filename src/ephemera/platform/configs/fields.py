"""What all checks of a config have in common: limits, and refusals that name field and value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from ephemera.platform import refusals
from ephemera.platform.refusals import Refusal
from ephemera.wire.durations import parse_duration
from ephemera.wire.resource import Duration

#: No longer than what Linux takes as a path, and as one piece of a path.
PATH_BYTES_MAX, PIECE_BYTES_MAX = 4095, 255
#: The most that every client can hold: Go's and the database's smallest kind of number.
COUNT_MAX = 2**31 - 1
#: How much of a wrong value a refusal shows.
_SHOWN_CHARS = 80

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_DNS_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*\.?")
_DNS_CHARS_MAX = 254


def wrong(path: str, value: Any, why: str) -> Refusal:
    """Return the refusal of a value: `config.services[0].internal_port 0 is not ...`."""
    text = repr(value)
    shown = text if len(text) <= _SHOWN_CHARS else text[:_SHOWN_CHARS] + "..."
    return refusals.invalid(f"{path} {shown} {why}")


def whole(path: str, value: int | None, least: int, most: int = COUNT_MAX) -> None:
    """Check that a number, where it is given, is from `least` to `most`."""
    if value is not None and not least <= value <= most:
        raise wrong(path, value, f"is not from {least} to {most}")


def port(path: str, value: int | None) -> None:
    """Check that a port, where it is given, is one."""
    whole(path, value, 1, 65535)


def one_of(path: str, value: str | None, words: Iterable[str]) -> None:
    """Check that a word, where it is given and not empty, is one of `words`."""
    if value and value not in words:
        raise wrong(path, value, f"is not one of {', '.join(words)}")


def text(path: str, value: str | None, most: int = 255) -> None:
    """Check that a text, where it is given, fits on a line, and in `most` characters."""
    if value is None:
        return
    if _CONTROL.search(value):
        raise wrong(path, value, "holds a control character")
    if len(value) > most:
        raise wrong(path, value, f"is longer than {most} characters")


def required(path: str, value: object) -> None:
    """Check that a value is given, and not empty."""
    if value is None or value == "":
        raise refusals.invalid(f"{path} is required")


def at_most(path: str, values: Sequence[object] | None, most: int) -> None:
    """Check that there are no more than `most` values."""
    if len(values or ()) > most:
        raise refusals.invalid(f"{path} holds {len(values or ())} values, more than {most}")


def dns_name(path: str, value: str | None) -> None:
    """Check that a name, where it is given and not empty, can be one of the DNS."""
    if value and not (len(value) <= _DNS_CHARS_MAX and _DNS_NAME.fullmatch(value)):
        raise wrong(path, value, "is not a host name")


def url_path(path: str, value: str | None) -> None:
    """Check that the path of a URL, where it is given, begins at the root and has no blanks."""
    text(path, value, PATH_BYTES_MAX)
    if value and (not value.startswith("/") or " " in value):
        raise wrong(path, value, "is not a path such as '/healthz'")


def absolute_path(path: str, value: str) -> None:
    """Check that a path in the machine is absolute, plain, and not the root itself."""
    pieces = value.encode(errors="replace").split(b"/")
    plain = not {b"", b".", b".."} & set(pieces[1:])
    if not (value.startswith("/") and plain) or _CONTROL.search(value):
        raise wrong(path, value, "is not an absolute path")
    if len(value.encode()) > PATH_BYTES_MAX or max(map(len, pieces)) > PIECE_BYTES_MAX:
        raise wrong(path, value, "is longer than a path can be")


def seconds(
    path: str, value: Duration | None, default: float, *, least: float, most: float
) -> float:
    """Return the seconds that a duration means.

    Args:
        value: A duration of the wire, which is known to be one; None for the default.

    Raises:
        Refusal: it is shorter than `least` or longer than `most`, in seconds.
    """
    if value is None:
        return default
    meant = parse_duration(value)
    if not least <= meant <= most:
        raise wrong(path, value, f"is not from {least:g} to {most:g} seconds")
    return meant
