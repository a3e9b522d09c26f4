"""Ranges of users and groups of this computer, one for each machine that lives.

```
 0x70000000   0x70010000   0x70020000  ...  0x7ffd0000
  65,536 users of one machine, from its root on
```

A range is taken by locking its byte of a file that all platforms of the computer share. It is given
back when the descriptor is closed, so at the latest with the monitor that has taken it. The first
process of its machine may outlive that: what is frozen does not die. So it is written down, in a
file beside that one, which process has a range, and nobody takes the range of one that lives.
Standard library only.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct

from ephemera.platform.drivers.monitoring import kernel

#: How many users and groups a machine has.
IDS = 65536
#: The root of the first, above all that systemd gives to containers of its own; and how many there
#: are, below the users that it has for the files of others' containers, from 0x7ffe0000 on.
#: Source: systemd's documentation of user and group ids.
FIRST = 0x70000000
COUNT = 4094

#: The first process of the machine that last had a range, and when it was started.
_HOLDER = struct.Struct("=iQ")


def take(lock: str) -> tuple[int, int]:
    """Return the root of a range that no other machine has, and the descriptor that holds it.

    Args:
        lock: The path of the file, which is made where it is not there.

    Raises:
        OSError: all are taken, or the file cannot be had.
    """
    fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    # from anywhere, so that what is not quite dead of another machine is of another range
    begin = int.from_bytes(os.urandom(4), "little")
    for step in range(COUNT):
        number = (begin + step) % COUNT
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
        except (BlockingIOError, PermissionError):
            continue
        if not _is_lived_in(lock, number):
            return FIRST + number * IDS, fd
        fcntl.lockf(fd, fcntl.LOCK_UN, 1, number)
    os.close(fd)
    raise OSError(errno.EAGAIN, f"all {COUNT} ranges of users are taken")


def note(lock: str, root: int, pid: int, start: int) -> None:
    """Write down that a process is the first one of the machine that has a range.

    Args:
        lock: As for `take`. It is not opened: to close it again would give the range back.
        root: The root of the range.
        pid, start: The number of the process, and when it was started.

    Raises:
        OSError: it cannot be written.
    """
    fd = os.open(_holders(lock), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        holder = _HOLDER.pack(pid, start)
        os.pwrite(fd, holder, (root - FIRST) // IDS * _HOLDER.size)
    finally:
        os.close(fd)


def _is_lived_in(lock: str, number: int) -> bool:
    """Return whether the first process of the machine that last had a range still lives."""
    try:
        fd = os.open(_holders(lock), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        found = os.pread(fd, _HOLDER.size, number * _HOLDER.size)
    finally:
        os.close(fd)
    if len(found) < _HOLDER.size:
        return False
    pid, start = _HOLDER.unpack(found)
    process = kernel.process(pid) if pid else None
    return process is not None and process.start == start


def _holders(lock: str) -> str:
    return f"{lock}.held"


def root_of(path: str) -> int:
    """Return the root of the range that the owner of a file is of."""
    uid = os.stat(path).st_uid
    return uid - uid % IDS
