"""What commands write: results go to stdout, everything said about them goes to stderr."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Sequence
from typing import Any

from ephemera.errors import EphemeraError

#: Control characters, of which only tabs, line ends and colours are for anybody to print: with
#: the others a program in a machine would give orders to the terminal of whoever reads its log.
_CONTROL = re.compile(r"(?P<colour>\x1b\[[0-9;:]*m)|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def say(text: str) -> None:
    """Write a line of the result, at once, so that a reader who follows sees it.

    Raises:
        EphemeraError: it cannot be written; on a full disk, for example.
    """
    try:
        print(printable(text, sys.stdout), flush=True)
    except BrokenPipeError:
        raise  # a reader who has enough, which is no error
    except OSError as error:
        sys.stdout = None  # or Python would try once more at its end, and complain
        raise EphemeraError(f"the output cannot be written: {error.strerror}") from error


def note(text: str) -> None:
    """Write a line that is not part of the result."""
    if sys.stderr is None:  # it was closed, and `print` would take stdout for it
        return
    print(printable(text, sys.stderr), file=sys.stderr, flush=True)


def printable(text: str, stream: Any) -> str:
    """Return a text as it can be written there.

    A terminal gets control characters as `cat -v` shows them, and all else gets them as they are.
    What the stream's encoding does not have is escaped.
    """
    if stream is None:  # it was closed before we were started
        return text
    encoding = stream.encoding or "utf-8"
    text = text.encode(encoding, "backslashreplace").decode(encoding)
    if not stream.isatty() or not _CONTROL.search(text):
        return text
    return _CONTROL.sub(_in_sight, text) + "\x1b[0m"


def _in_sight(found: re.Match[str]) -> str:
    if found["colour"]:
        return found["colour"]
    code = ord(found[0])
    return f"^{chr(code ^ 0x40)}" if code < 0x80 else f"\\x{code:02x}"


def complain(error: EphemeraError) -> None:
    """Say what went wrong, and what to try next."""
    note(f"error: {error.message}")
    if error.hint:
        note(f"hint: {error.hint}")


def log_to_stderr() -> None:
    """Show what the parts of Ephemera log, and the warnings of everybody else."""
    import logging

    layout = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(level=logging.WARNING, format=layout, stream=sys.stderr)
    logging.getLogger("ephemera").setLevel(logging.INFO)


def say_json(value: Any) -> None:
    """Write a result for programs to read."""
    say(json.dumps(value, indent=2, ensure_ascii=False))


def say_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write rows under titles, in columns as wide as they must be; nothing is cut off.

    A row is a line: an end of line in it is written as `\\n`.
    """
    rows = [[cell.replace("\n", "\\n") for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    for row in (titles, *rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        say("  ".join(cells).rstrip())


def say_record(fields: dict[str, str]) -> None:
    """Write one record, a field a line; empty ones are left out."""
    width = max(map(len, fields))
    for name, value in fields.items():
        if value:
            say(f"{name.ljust(width)}  {value}")


def colours(stream: Any) -> bool:
    """Return whether to write in colours there: https://no-color.org."""
    return stream.isatty() and not os.environ.get("NO_COLOR")


def duration(seconds: float) -> str:
    """Return a duration with its two greatest units: `4.2s`, `3m 12s`, `2h 5m`, `6d 1h`."""
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, rest_s = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes}m {rest_s}s"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours}h {minutes}m"
    days, hours = divmod(hours, 24)
    return f"{days}d {hours}h"


def when(seconds: float | None) -> str:
    """Return a moment, given in seconds since 1970, as RFC 3339 in UTC; empty for None."""
    if seconds is None:
        return ""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def counted(number: int, noun: str) -> str:
    """Return `1 machine`, `2 machines`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def megabytes(count: int) -> str:
    """Return a number of bytes for people, in millions."""
    return f"{count / 1e6:.1f} MB"
