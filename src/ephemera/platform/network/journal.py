"""A file with a line of JSON for each thing that happened, which counts once its line is there."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

#: How many lines are appended until it is long: what still holds is less by far.
_APPENDED_MAX = 10_000

Line = list[object]


class Journal:
    """The file of one server.

    Args:
        path: Where it is; it need not be there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None
        self._appended = 0

    def __str__(self) -> str:
        """Return where it is."""
        return str(self._path)

    @property
    def is_long(self) -> bool:
        """Whether it is time to write it anew."""
        return self._appended >= _APPENDED_MAX

    def read(self) -> Iterator[Line]:
        """Yield what was written; of a line that was cut off when the computer died, nothing.

        Raises:
            OSError: it cannot be read.
        """
        if self._path.exists():
            whole, _, _ = self._path.read_bytes().rpartition(b"\n")
            yield from (json.loads(line) for line in whole.splitlines())

    def write_anew(self, lines: Iterable[Line]) -> None:
        """Have it say this and nothing else, all at once, and be open for more.

        Raises:
            OSError: it cannot be written; it says what it said, and is long again later.
        """
        self._appended = 0
        fresh = self._path.with_suffix(".new")
        fresh.write_bytes(b"".join(map(_encoded, lines)))
        file = fresh.open("ab", buffering=0)  # before it is the one that counts: it may fail
        try:
            fresh.replace(self._path)
        except OSError:
            file.close()
            raise
        self.close()
        self._file = file

    def append(self, line: Line) -> None:
        """Write down what has happened.

        Raises:
            OSError: it cannot be written; nothing of it is.
        """
        assert self._file, "it is not open"
        whole = _encoded(line)
        written = self._file.write(whole)
        if written < len(whole):  # what is half a line would make the next one unreadable
            self._file.truncate(self._file.tell() - written)
            raise OSError(errno.ENOSPC, f"{self._path} cannot be written to: the disk is full")
        self._appended += 1

    def close(self) -> None:
        """Close the file. Repeating is safe."""
        if self._file:
            self._file.close()
            self._file = None


def _encoded(line: Line) -> bytes:
    return json.dumps(line, separators=(",", ":")).encode() + b"\n"
