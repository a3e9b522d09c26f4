"""Volumes that are disks, from the server's side: made, copied, enlarged, and how full they are.

A disk is a file with an ext4 file system in it. Who has it mounted is a monitor, in a mount
namespace of its own, see `drivers/container/disks.py`. It is copied while it is used, and the copy
is of one moment: writes wait until it is done. One that nobody uses is copied as it is, and again
if somebody began to use it meanwhile.
"""

from __future__ import annotations

import asyncio
import errno
import os
import stat
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from weakref import WeakValueDictionary

from ephemera.platform import tools
from ephemera.platform.drivers.container import disks, ext4
from ephemera.platform.volumes.records import Room

#: What the name of a disk ends with.
SUFFIX = ".img"
#: No room is kept for root, and tables are filled when they are needed: the file takes megabytes.
#: The journal stays: a machine may be killed at any moment.
_MKFS = ("mkfs.ext4", "-F", "-q", "-m", "0")
_MKFS_HOW = "lazy_itable_init=1,lazy_journal_init=1,nodiscard"
#: How long a disk may be on its way to be mounted or unmounted, and how often that is looked at.
_PASSING_S, _PAUSE_S = 60.0, 0.05
#: What the kernel says of the place of a disk whose monitor has ended since it was found out.
_GONE = (FileNotFoundError, ProcessLookupError, PermissionError)
#: The folder that holds the `ephemera` package, which the holder has to find without `site`.
_PACKAGES = Path(__file__).parents[3]
_HOLDER = (
    f"import sys; sys.path.insert(0, {str(_PACKAGES)!r});"
    " from ephemera.platform.drivers.container.holding import main; main()"
)


class NotHeld(OSError):
    """The writes to a disk could not be held, or not until the copy was done."""


def is_disk(data: Path) -> bool:
    """Whether this is where a disk is, or would be; else it is a folder."""
    return data.suffix == SUFFIX


async def make(image: Path, size_bytes: int) -> None:
    """Make an empty disk of exactly this size. What there is after an error is worth nothing.

    Raises:
        OSError: there is no room for what a file system needs for itself.
    """
    os.close(os.open(image, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    os.truncate(image, size_bytes)
    await tools.run(*_MKFS, "-E", _MKFS_HOW, str(image))


def enlarge(image: Path, size_bytes: int) -> None:
    """Have the file of a disk be this large at least, not yet its file system. Repeating is safe.

    Whoever mounts the disk next makes the file system as large.
    """
    if image.stat().st_size < size_bytes:
        os.truncate(image, size_bytes)


async def grow(image: Path) -> bool:
    """Have the file system of a disk be as large as its file, and return whether it is.

    It is not, where the kernel does not let us grow a disk that a machine has mounted. It will be
    when that is started again.

    Raises:
        OSError: it cannot be grown, for example because it is damaged.
    """
    deadline = time.monotonic() + _PASSING_S
    while time.monotonic() < deadline:
        try:
            await asyncio.to_thread(_grow, str(image))
        except PermissionError:
            return False
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
        else:
            return True
        await asyncio.sleep(_PAUSE_S)
    return False


def _grow(image: str) -> None:
    where = disks.mounted(image)
    if where is None:
        return disks.grow_unmounted(image)
    try:
        disks.grow(image, where)
    except FileNotFoundError:
        raise OSError(errno.EBUSY, f"{image} is being unmounted") from None


def room(image: Path) -> Room:
    """Return how full a disk is: by the kernel where it is mounted, else by its own account."""
    where = disks.mounted(str(image))
    if where:
        try:
            seen = os.statvfs(where)
        except _GONE:
            return room(image)  # unmounted just now
        used = (seen.f_blocks - seen.f_bfree) * seen.f_frsize
        return Room(used, seen.f_blocks * seen.f_frsize, seen.f_bavail * seen.f_frsize)
    try:
        said = ext4.superblock(str(image))
    except OSError:  # gone or damaged: what it takes is still true
        return Room(taken(image))
    blocks = said.blocks - said.overhead
    used = (blocks - said.free) * said.block_bytes
    return Room(used, blocks * said.block_bytes, said.available * said.block_bytes)


def taken(image: Path) -> int:
    """Return how many bytes a disk takes of the disk that its file is on; 0 where it is gone."""
    try:
        return image.stat().st_blocks * 512
    except FileNotFoundError:  # perhaps just now: its volume is being removed
        return 0


def thaw(image: Path) -> None:
    """Let writes to a disk go on, if somebody holds them who was killed. Repeating is safe."""
    where = disks.mounted(str(image))
    if where is None:
        return
    try:
        folder = os.open(where, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except _GONE:
        return
    disks.thaw(folder)


class Copies:
    """Copies disks. Those of one disk are made one after the other."""

    def __init__(self) -> None:
        self._turns: WeakValueDictionary[Path, asyncio.Lock] = WeakValueDictionary()

    async def make(self, source: Path, target: Path) -> None:
        """Copy a disk, mounted or not, as it is at one moment.

        Raises:
            OSError: it could not be copied. What there is of the target is worth nothing.
        """
        turn = self._turns.setdefault(source, asyncio.Lock())
        async with turn:
            deadline = time.monotonic() + _PASSING_S
            while not await _copied(source, target):
                await tools.remove(target)
                if time.monotonic() > deadline:
                    raise OSError(errno.EBUSY, f"{source} is not left alone while it is copied")
                await asyncio.sleep(_PAUSE_S)


async def _copied(source: Path, target: Path) -> bool:
    """Copy a disk; return False where nobody can say that it was left alone meanwhile."""
    if await asyncio.to_thread(disks.mounted, str(source)):
        try:
            async with _held(source):
                await tools.copy_file(source, target)
        except NotHeld:
            if await asyncio.to_thread(disks.mounted, str(source)):
                raise
            return False  # unmounted just now
        return True
    if not disks.is_idle(str(source)):
        return False
    before = _stamp(source)
    await tools.copy_file(source, target)
    return _stamp(source) == before and disks.is_idle(str(source))


def _stamp(image: Path) -> tuple[int, int]:
    found = image.stat()
    assert stat.S_ISREG(found.st_mode)
    return found.st_mtime_ns, found.st_size


@asynccontextmanager
async def _held(image: Path) -> AsyncIterator[None]:
    """Have writes to a mounted disk wait while the block runs, and no longer than this server.

    Raises:
        NotHeld: they did not, or not until the end of the block.
    """
    holder = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", "-c", _HOLDER, str(image)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    assert holder.stderr is not None
    try:
        if await holder.stdout.readline() != b"held\n":
            why = (await holder.stderr.read()).decode(errors="replace").strip()
            raise NotHeld(errno.EIO, f"writes to {image} cannot be held: {why}")
        yield
    finally:
        holder.stdin.close()
        if await holder.wait() < 0:  # killed: it has left the disk as it was
            await asyncio.to_thread(thaw, image)
    if holder.returncode:
        raise NotHeld(errno.EIO, f"writes to {image} were not held until it was copied")
