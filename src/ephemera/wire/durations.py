"""Durations as the Machines API writes them: Go strings, seconds, or nanoseconds."""

from __future__ import annotations

import re

_MICROSECONDS = {"us": 1e-6, "µs": 1e-6, "μs": 1e-6}
_UNIT_S = {"ns": 1e-9, **_MICROSECONDS, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
#: A whole number from here on is nanoseconds: Go's Duration encodes as such, and one
#: millisecond is 1,000,000 ns, while no duration in the API is a million seconds long.
_NANOSECONDS_FROM = 1_000_000
#: More than any duration that means something needs: the reading of one takes time that grows with
#: the square of its length.
_CHARS_MAX = 100
#: What a Go Duration can hold. JSON has numbers that not even a float can.
_LONGEST = 2**63 - 1


def parse_duration(value: str | int | float) -> float:
    """Return the seconds that `value` means.

    Args:
        value: A Go duration (`"1m30s"`, `"300ms"`), a number of seconds (`10`, `"10"`), or a
            whole number of nanoseconds (`10_000_000_000`). fly-go writes Go strings and the
            documentation speaks of both kinds of numbers; all three are met on the wire.

    Raises:
        ValueError: not a duration, or a negative one.
    """
    if isinstance(value, bool):
        raise ValueError(f"{value!r} is not a duration")
    if isinstance(value, int | float):
        if value != value or value < 0 or value == float("inf"):
            raise ValueError(f"{value!r} is not a duration of 0 seconds or more")
        if value > _LONGEST:
            raise ValueError("it is longer than any duration can be")
        nanoseconds = isinstance(value, int) and value >= _NANOSECONDS_FROM
        return value / 1e9 if nanoseconds else float(value)
    if len(value) > _CHARS_MAX:
        raise ValueError(f"it is longer than any duration can be: {len(value)} characters")
    text = value.strip()
    if text.isascii() and text.isdigit() and len(text) < 20:
        return parse_duration(int(text))
    seconds, end = 0.0, 0
    for part in _PART.finditer(text):
        if part.start() != end:
            break
        seconds += float(part[1]) * _UNIT_S[part[2]]
        end = part.end()
    if not text or end != len(text):
        raise ValueError(f"{value[:40]!r} is not a duration such as '10s' or '1m30s'")
    return seconds


def format_duration(seconds: float) -> str:
    """Return `seconds` as a Go duration string, to the millisecond: `1m30s`, `250ms`."""
    total_ms = round(seconds * 1000)
    if total_ms < 1000:
        return f"{total_ms}ms" if total_ms else "0s"
    minutes, ms = divmod(total_ms, 60_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{hours}h" if hours else ""
    text += f"{minutes}m" if hours or minutes else ""
    return f"{text}{ms / 1000:g}s"
