"""A tar archive of a machine's file system, which may be changing while it is read.

What is kept of each file is what layers of images have, too: owners, modes, times, hard links,
holes, file capabilities and `user.*` attributes. Standard library only.

Source: POSIX.1-2017 `pax`; https://www.gnu.org/software/tar/manual/html_node/PAX-1.html
"""

from __future__ import annotations

import errno
import os
import stat
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import IO

_BLOCK_BYTES = 64 * 1024
#: Smaller holes are not worth a map of them.
_HOLES_MIN_BYTES = 1 << 20
#: What `st_blocks` counts, and tar archives consist of.
_SECTOR_BYTES = 512
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
#: What it means that a file has been taken away, or that not even the machine's root may read it.
_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.EACCES, errno.EPERM)


def pack(root: str, sink: IO[bytes]) -> None:
    """Write an archive of everything below a folder; empty for the root of this process.

    Raises:
        OSError: a file cannot be read to its end, or nobody reads the archive.
    """
    with tarfile.open(fileobj=sink, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        left = _names(f"{root}/")
        while left:
            name = left.pop()
            if _add(archive, f"{root}/{name}", name):
                left += [f"{name}/{one}" for one in _names(f"{root}/{name}")]
            archive.getmembers().clear()  # it would remember them all


def _names(folder: str) -> list[str]:
    """Return what is in a folder, the last first."""
    try:
        return sorted(os.listdir(folder), reverse=True)
    except OSError as error:
        return _nothing(error)


def _nothing(error: OSError) -> list[str]:
    if error.errno in _NOT_THERE:
        return []
    raise error


def _add(archive: tarfile.TarFile, path: str, name: str) -> bool:
    """Write one file under a name; whether it is a folder."""
    try:
        found = os.lstat(path)
        fd = os.open(path, _FILE) if stat.S_ISREG(found.st_mode) else -1
    except OSError as error:
        return bool(_nothing(error))
    if fd < 0:
        return _add_other(archive, path, name)
    with open(fd, "rb", buffering=0) as file:
        _add_file(archive, file, name)
    return False


def _add_other(archive: tarfile.TarFile, path: str, name: str) -> bool:
    try:
        member = archive.gettarinfo(path, name)
    except OSError as error:
        return bool(_nothing(error))
    # no archive holds a socket, for which there is no member, or an overlay's whiteout
    if member is None or (member.ischr() and not member.devmajor and not member.devminor):
        return False
    if member.isreg():  # it is no longer what we looked at
        return False
    member.pax_headers = {} if member.issym() else _attributes(path)
    archive.addfile(member)
    return member.isdir()


def _add_file(archive: tarfile.TarFile, file: IO[bytes], name: str) -> None:
    member = archive.gettarinfo(arcname=name, fileobj=file)
    if not (member.isreg() or member.islnk()):  # it is no longer what we looked at
        return
    member.pax_headers = _attributes(file.fileno())
    if member.islnk():
        archive.addfile(member)
        return
    size, head = member.size, b""
    portions: Sequence[tuple[int, int]] = [(0, size)]
    if size - os.fstat(file.fileno()).st_blocks * _SECTOR_BYTES >= _HOLES_MIN_BYTES:
        portions = list(_portions(file.fileno(), size))
        head = _with_holes(member, portions)
    archive.addfile(member, _Content(file.fileno(), head, portions))


def _with_holes(member: tarfile.TarInfo, portions: Sequence[tuple[int, int]]) -> bytes:
    """Make the member one of a file with holes, in GNU's form 1.0, and return the map of it."""
    folder, _, name = member.name.rpartition("/")
    member.pax_headers = {
        **member.pax_headers,
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": member.name,
        "GNU.sparse.realsize": str(member.size),
    }
    listed = [*portions, (member.size, 0)]  # the last says where it ends, which may be in a hole
    numbers = [len(listed), *(number for portion in listed for number in portion)]
    head = b"".join(b"%d\n" % number for number in numbers)
    head += bytes(-len(head) % _SECTOR_BYTES)
    member.name = f"{folder or '.'}/GNUSparseFile.0/{name}"
    member.size = len(head) + sum(length for _, length in portions)
    return head


def _portions(fd: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield where there is something in a file: offset and length of each portion."""
    end = 0
    try:
        while (begin := os.lseek(fd, end, os.SEEK_DATA)) < size:
            end = min(os.lseek(fd, begin, os.SEEK_HOLE), size)
            yield begin, end - begin
    except OSError as error:
        if error.errno != errno.ENXIO:  # which means that there is no more
            raise


def _attributes(file: str | int) -> Mapping[str, str]:
    """Return the extended attributes that images can have, as pax headers."""
    found: dict[str, str] = {}
    with suppress(OSError):  # it is gone
        for name in os.listxattr(file):
            is_user = name.startswith("user.") and not name.startswith("user.overlay.")
            if "=" not in name and (is_user or name == "security.capability"):
                value = os.getxattr(file, name)
                found[f"SCHILY.xattr.{name}"] = value.decode("utf-8", "surrogateescape")
    return found


class _Content:
    """What is stored of a file: as much as was said, whatever becomes of it meanwhile."""

    def __init__(self, fd: int, head: bytes, portions: Sequence[tuple[int, int]]) -> None:
        self._blocks = _blocks(fd, portions)
        self._read = head

    def read(self, count: int = _BLOCK_BYTES, /) -> bytes:
        while len(self._read) < count:
            self._read += next(self._blocks)
        taken, self._read = self._read[:count], self._read[count:]
        return taken


def _blocks(fd: int, portions: Sequence[tuple[int, int]]) -> Iterator[bytes]:
    for offset, length in portions:
        for at in range(offset, offset + length, _BLOCK_BYTES):
            count = min(_BLOCK_BYTES, offset + length - at)
            yield os.pread(fd, count, at).ljust(count, b"\0")  # where it has become shorter
