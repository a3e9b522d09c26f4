"""Loop devices: files that the kernel takes for disks. Linux only, standard library only.

A device is given back by the kernel itself when nobody has it open or mounted any more, however
they ended. It holds the file by the very descriptor it was given, and with it the file's flock:
who has a lock on a file that is a disk holds it for exactly as long as it is one.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

_BLOCK_MAJOR, _CONTROL = 7, (10, 237)
_CTL_GET_FREE = 0x4C82
_SET_FD, _CLR_FD, _SET_STATUS64, _GET_STATUS64 = 0x4C00, 0x4C01, 0x4C04, 0x4C05
_SET_CAPACITY, _CONFIGURE = 0x4C07, 0x4C0A
_AUTOCLEAR = 4
#: `struct loop_info64`: where the file is (device, inode), flags and names among others.
_INFO = struct.Struct("=5Q4I64s64s32s2Q")
#: Somebody else may take the free device that we were told of, each time again.
_TRIES = 64
#: What an older kernel says that does not know how to configure a device in one step.
_NOT_KNOWN = (errno.ENOTTY, errno.EINVAL, errno.ENOSYS)


class Backing(NamedTuple):
    """Names a file, wherever it is seen from."""

    device: int
    inode: int


def backing(image: str | int) -> Backing:
    """Return what names a file, from its path or a descriptor."""
    found = os.stat(image)
    return Backing(found.st_dev, found.st_ino)


@contextmanager
def attached(image: int, name: str) -> Iterator[str]:
    """Make a file a disk, and yield the path of the device; whoever mounts it keeps it.

    Args:
        image: A descriptor of the file, open for reading and writing.
        name: What `losetup` shows.

    Raises:
        OSError: there is no device to be had.
    """
    device, path = _taken(image, name)
    try:
        yield path
    finally:
        os.close(device)


def set_capacity(number: int) -> None:
    """Have a device see how large its file is now.

    Raises:
        OSError: it is no loop device, or not ours to change.
    """
    with _opened(number) as device:
        fcntl.ioctl(device, _SET_CAPACITY, 0)


def number_of(device: int) -> int | None:
    """Return the number of a loop device from its `st_dev`; None where it is another kind."""
    return os.minor(device) if os.major(device) == _BLOCK_MAJOR else None


def file_of(number: int) -> Backing | None:
    """Return the file of a device; None where it has none.

    Raises:
        OSError: the device cannot be opened.
    """
    with _opened(number) as device:
        try:
            found = fcntl.ioctl(device, _GET_STATUS64, bytes(_INFO.size))
        except OSError as error:
            if error.errno == errno.ENXIO:
                return None
            raise
    device_number, inode, *_ = _INFO.unpack(found)
    return Backing(_decoded(device_number), inode)


def of(file: Backing) -> str | None:
    """Return the path of the device that a file is, whoever made it one; None for none."""
    for name in os.listdir("/sys/block"):
        found = re.fullmatch(r"loop([0-9]+)", name)
        if found and os.path.isdir(f"/sys/block/{name}/loop") and file_of(int(found[1])) == file:
            return f"/dev/{name}"
    return None


def _taken(image: int, name: str) -> tuple[int, str]:
    """Return a device that is the file, open, and its path."""
    control = _open("loop-control", stat.S_IFCHR, *_CONTROL)
    try:
        for _ in range(_TRIES):
            number = fcntl.ioctl(control, _CTL_GET_FREE)
            device = _open(f"loop{number}", stat.S_IFBLK, _BLOCK_MAJOR, number)
            try:
                _configure(device, image, name)
            except OSError as error:
                os.close(device)
                if error.errno != errno.EBUSY:
                    raise OSError(error.errno, f"loop device {number}: {error.strerror}") from error
            else:
                return _reopened(device, number), f"/dev/loop{number}"
    finally:
        os.close(control)
    raise OSError(errno.EBUSY, f"no loop device is free: others took {_TRIES} before us")


def _reopened(device: int, number: int) -> int:
    """Return the device open for reading: some kernels mount nothing that is open for writing."""
    again = _open(f"loop{number}", stat.S_IFBLK, _BLOCK_MAJOR, number, os.O_RDONLY)
    os.close(device)
    return again


def _configure(device: int, image: int, name: str) -> None:
    shown = os.fsencode(name)[:63]
    info = _INFO.pack(0, 0, 0, 0, 0, 0, 0, 0, _AUTOCLEAR, shown, b"", b"", 0, 0)
    try:
        fcntl.ioctl(device, _CONFIGURE, struct.pack("=II", image, 0) + info + bytes(64))
    except OSError as error:
        if error.errno not in _NOT_KNOWN:
            raise
        _configure_in_steps(device, image, info)


def _configure_in_steps(device: int, image: int, info: bytes) -> None:
    """Do what Linux before 5.8 needs two calls for."""
    fcntl.ioctl(device, _SET_FD, image)
    try:
        fcntl.ioctl(device, _SET_STATUS64, info)
    except OSError:
        fcntl.ioctl(device, _CLR_FD, 0)
        raise


@contextmanager
def _opened(number: int) -> Iterator[int]:
    device = _open(f"loop{number}", stat.S_IFBLK, _BLOCK_MAJOR, number, os.O_RDONLY)
    try:
        yield device
    finally:
        os.close(device)


def _open(name: str, kind: int, major: int, minor: int, flags: int = os.O_RDWR) -> int:
    """Open a device; in a container, where `/dev` often lacks it, after making its node."""
    path = f"/dev/{name}"
    try:
        return os.open(path, flags | os.O_CLOEXEC)
    except FileNotFoundError:
        with suppress(FileExistsError):
            os.mknod(path, kind | 0o600, os.makedev(major, minor))
        return os.open(path, flags | os.O_CLOEXEC)


def _decoded(number: int) -> int:
    """Return an `st_dev` from the form that the kernel has for a device number in 64 bits."""
    major = (number & 0xFFF00) >> 8
    minor = (number & 0xFF) | ((number >> 12) & 0xFFF00)
    return os.makedev(major, minor)
