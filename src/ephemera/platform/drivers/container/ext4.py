"""An ext4 file system in a file: what it says of itself, and how it is made as large as the file.

What it says is true where it is not mounted; else the kernel knows better. Standard library only.

Source of the superblock's form: the kernel's documentation of ext4's data structures.
"""

from __future__ import annotations

import errno
import os
import struct
from typing import NamedTuple

#: Where programs of the system are, e2fsprogs' among them, that only root has in the path.
TOOL_PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))

_AT, _BYTES, _MAGIC = 1024, 1024, 0xEF53
#: The kernel keeps a fiftieth back so that what it promised can be written, and no more than this.
_KEPT_BACK_PART, _KEPT_BACK_BLOCKS_MAX = 50, 4096


class Superblock(NamedTuple):
    """The size of a file system, and how much of it is free; in blocks, but for the first."""

    block_bytes: int
    blocks: int
    free: int
    #: What the file system needs for itself.
    overhead: int

    @property
    def total_bytes(self) -> int:
        """How large it is, with what it needs for itself."""
        return self.blocks * self.block_bytes

    @property
    def available(self) -> int:
        """How many blocks files can still be written to."""
        kept_back = min(self.blocks // _KEPT_BACK_PART, _KEPT_BACK_BLOCKS_MAX)
        return max(0, self.free - kept_back)


def superblock(image: str) -> Superblock:
    """Return what the file system in a file says of itself.

    Raises:
        OSError: the file cannot be read, or (EUCLEAN) there is no ext4 file system in it.
    """
    fd = os.open(image, os.O_RDONLY | os.O_CLOEXEC)
    try:
        found = os.pread(fd, _BYTES, _AT)
    finally:
        os.close(fd)
    if len(found) < _BYTES or struct.unpack_from("<H", found, 0x38)[0] != _MAGIC:
        raise damaged(image, "there is none")

    def number(at: int, high_at: int = 0) -> int:
        high = struct.unpack_from("<I", found, high_at)[0] if high_at else 0
        return int(struct.unpack_from("<I", found, at)[0] | high << 32)

    return Superblock(
        block_bytes=1024 << number(0x18),
        blocks=number(0x4, 0x150),
        free=number(0xC, 0x158),
        overhead=number(0x248),
    )


def fit(image: str, lock: int) -> None:
    """Have a file system that is not mounted be as large as its file, unless it is.

    Args:
        lock: A descriptor of the file, with the lock that keeps others away. It is held until
            the tools have ended, also where we end before them.

    Raises:
        OSError: it cannot be made larger, for example because it is damaged (EUCLEAN).
    """
    found = superblock(image)
    if found.total_bytes + found.block_bytes > os.fstat(lock).st_size:
        return
    said = _run("e2fsck", "-f", "-p", image, lock=lock)
    said += _run("resize2fs", image, lock=lock)
    if superblock(image).total_bytes <= found.total_bytes:
        raise damaged(image, said.strip().replace("\n", " ") or "it could not be made larger")


def damaged(image: str, why: str) -> OSError:
    """Return the error of a file system that cannot be used as it is."""
    what = f"the file system of {volume_of(image)} is damaged: {why}"
    return OSError(errno.EUCLEAN, f"{what}; `e2fsck -f {image}` repairs what can be repaired")


def volume_of(image: str) -> str:
    """Name the volume that a disk is of: the folder that it is in."""
    return f"volume {os.path.basename(os.path.dirname(image))}"


def _run(*command: str, lock: int) -> str:
    """Run a tool to its end, which no signal to our group cuts short, and return what it said.

    What it ended with is not known: monitors ignore the end of their children.
    """
    import subprocess  # only here: it would be in the memory of every monitor

    done = subprocess.run(
        command,
        env={"PATH": TOOL_PATH, "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=[lock],
        start_new_session=True,
        check=False,
    )
    return done.stdout.decode(errors="replace")
