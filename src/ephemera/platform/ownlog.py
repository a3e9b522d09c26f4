"""The platform's own log, where it runs in the background: a server may run for months."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from pathlib import Path

_log = logging.getLogger(__name__)

#: As a segment of an app's log.
_BYTES_MAX = 16 * 1024 * 1024
_STANDARD = (1, 2)


def turn_over(path: Path) -> int:
    """Begin a new file where what this process says goes to `path`, and that is large.

    The file before stays as `path` with `.1`, the one before that goes. Repeating is safe.

    Returns:
        How many files were begun: 0 where it is small yet, is not ours, or cannot be moved.
    """
    with suppress(FileNotFoundError):
        file = path.stat()
        if file.st_size > _BYTES_MAX and (ours := _written_to(file)):
            return _replace(path, ours)
    return 0


def _written_to(file: os.stat_result) -> list[int]:
    """Return the standard streams of this process that are that file."""
    return [one for one in _STANDARD if _is_open(one) and os.path.samestat(os.fstat(one), file)]


def _is_open(descriptor: int) -> bool:
    with suppress(OSError):
        os.fstat(descriptor)
        return True
    return False


def _replace(path: Path, ours: list[int]) -> int:
    fresh = path.with_name(f"{path.name}.new")
    try:
        # made before anything is moved: there may be no room
        file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            path.replace(path.with_name(f"{path.name}.1"))
            fresh.replace(path)
            for one in ours:
                os.dup2(file, one)
        finally:
            os.close(file)
    except OSError as error:
        _log.warning("%s grows, and no other can be begun: %s", path, error)
        return 0
    return 1
