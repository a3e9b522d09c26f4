"""Files that appear whole or not at all, also when the computer stops."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def write(path: Path, content: bytes) -> None:
    """Write a new file, and have the disk take it.

    Raises:
        OSError: it cannot be written; nothing of it is left.
    """
    try:
        with path.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        path.unlink(missing_ok=True)
        raise


def flush(path: Path) -> None:
    """Have the disk take a file, or the names in a folder; one that is gone is not an error."""
    with suppress(FileNotFoundError):
        opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def flush_all(paths: Iterable[Path]) -> None:
    """Have the disk take several of them."""
    for path in paths:
        flush(path)
