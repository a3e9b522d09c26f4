"""Tells a file system that the folders in a folder have nothing to do with each other."""

from __future__ import annotations

import fcntl
import os
import struct
import sys
from contextlib import suppress
from pathlib import Path

#: Of `linux/fs.h`, for 64-bit and 32-bit `long` alike: the numbers have its size in them.
_LONG = struct.Struct("l")
_GET_FLAGS = 2 << 30 | _LONG.size << 16 | ord("f") << 8 | 1
_SET_FLAGS = 1 << 30 | _LONG.size << 16 | ord("f") << 8 | 2
_TOP_OF_HIERARCHIES = 0x00020000


def spread(folder: Path) -> None:
    """Have what is made in a folder from now on lie apart on the disk. Repeating is safe.

    The attribute `T` of ext4, see `man 1 chattr`. Without it all of them are in the same few
    groups of inodes, and a new file has to be found a place among those that were deleted a moment
    ago: without a journal, which keeps such places free for minutes, that took a fifth of all the
    processor time of a launch. Other file systems know no such attribute and do not need it.
    """
    if sys.platform != "linux":
        return
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(OSError):  # a hint, which not every file system takes
            (flags,) = _LONG.unpack(fcntl.ioctl(fd, _GET_FLAGS, bytes(_LONG.size)))
            fcntl.ioctl(fd, _SET_FLAGS, _LONG.pack(flags | _TOP_OF_HIERARCHIES))
    finally:
        os.close(fd)
