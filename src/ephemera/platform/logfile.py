"""Log segments: append-only files that many processes write and many read.

An app has one folder of segments, `0000000001.jsonl` and on. The monitor of each machine and
the server append to the newest one, each line whole, so the order in the file is the order of
arrival, and a position in it (`segment:offset`) is a cursor that stays good when everybody who
wrote there is gone. Standard library only: monitors are small processes.

Appending takes the folder's lock shared and starting a segment takes it exclusively, so a
reader that sees a newer segment knows that the older one is complete.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

#: A segment is closed when it has grown to this; the oldest of more than `SEGMENTS_KEPT` goes.
SEGMENT_BYTES = 16 * 1024 * 1024
SEGMENTS_KEPT = 8

_SUFFIX = ".jsonl"


@contextmanager
def _locked(folder: str, how: int) -> Iterator[None]:
    lock = os.open(os.path.join(folder, "lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, how)
        yield
    finally:
        os.close(lock)


def segments(folder: str) -> list[int]:
    """Return the numbers of the segments that exist, oldest first; [] for no folder."""
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    return sorted(int(name[: -len(_SUFFIX)]) for name in names if name.endswith(_SUFFIX))


def segment_path(folder: str, number: int) -> str:
    """Return the path of a segment, whether it exists or not."""
    return os.path.join(folder, f"{number:010d}{_SUFFIX}")


def append(folder: str, lines: bytes) -> None:
    """Append whole lines, each ending in a newline, to the newest segment.

    Raises:
        OSError: they could not be written, for example because the disk is full.
    """
    try:
        _append(folder, lines)
    except FileNotFoundError:  # the first line of an app
        os.makedirs(folder, mode=0o700, exist_ok=True)
        _append(folder, lines)


def _append(folder: str, lines: bytes) -> None:
    with _locked(folder, fcntl.LOCK_SH):
        newest = (segments(folder) or [1])[-1]
        flags = os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC
        file = os.open(segment_path(folder, newest), flags, 0o600)
        try:
            write_all(file, lines)
            is_full = os.fstat(file).st_size >= SEGMENT_BYTES
        finally:
            os.close(file)
    if is_full:
        rotate(folder)


def write_all(file: int, lines: bytes) -> None:
    """Write lines to an open segment.

    Raises:
        OSError: they could not be written, or not all of them.
    """
    rest = memoryview(lines)
    while rest:
        rest = rest[os.write(file, rest) :]


def rotate(folder: str) -> None:
    """Begin a new segment where the newest is full, and drop the oldest beyond those kept."""
    with _locked(folder, fcntl.LOCK_EX):
        present = segments(folder)
        newest = present[-1] if present else 0
        # looked at under the lock: somebody else may have been first
        if not present or os.path.getsize(segment_path(folder, newest)) < SEGMENT_BYTES:
            return
        fresh = os.open(segment_path(folder, newest + 1), os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.close(fresh)
        for number in present[: -SEGMENTS_KEPT + 1]:
            os.unlink(segment_path(folder, number))
