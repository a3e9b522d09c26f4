"""Appending to the segments of one log again and again, with its files kept open.

The server says two lines of each launch. To find out each time which segment is the newest takes
longer than to write there, and is seldom necessary: a segment that is not full is the newest.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress

from ephemera.platform import logfile


class Appender:
    """Appends to the log of a folder, as `logfile.append` does.

    Args:
        folder: Of the segments; made when it is needed.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._lock = self._file = -1
        self._number = 0

    def __del__(self) -> None:
        self.close()

    def append(self, lines: bytes) -> None:
        """Append whole lines, each ending in a newline, to the newest segment.

        Raises:
            OSError: they could not be written, for example because the disk is full.
        """
        if self._file < 0 or not self._appended(lines):
            self.close()
            logfile.append(self._folder, lines)
            self._open()

    def end(self) -> tuple[int, int] | None:
        """Return the number of the newest segment and how long it is; None if that is not known."""
        size = self._size()
        return None if size is None else (self._number, size)

    def close(self) -> None:
        """Keep nothing open. Repeating is safe, and so is appending again."""
        for one in (self._lock, self._file):
            if one >= 0:
                os.close(one)
        self._lock = self._file = -1

    def _open(self) -> None:
        with suppress(FileNotFoundError, IndexError):  # the log was deleted meanwhile
            self._lock = os.open(f"{self._folder}/lock", os.O_RDWR | os.O_CLOEXEC)
            self._number = logfile.segments(self._folder)[-1]
            path = logfile.segment_path(self._folder, self._number)
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)

    def _appended(self, lines: bytes) -> bool:
        """Append lines, unless another segment is the newest by now; whether they were."""
        fcntl.flock(self._lock, fcntl.LOCK_SH)
        try:
            if self._size() is None:
                return False
            logfile.write_all(self._file, lines)
            return True
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def _size(self) -> int | None:
        """Return how long the segment is; None if it may not be the newest, or is deleted."""
        if self._file < 0:
            return None
        found = os.fstat(self._file)
        is_newest = found.st_nlink and found.st_size < logfile.SEGMENT_BYTES
        return found.st_size if is_newest else None
