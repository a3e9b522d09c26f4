"""The inside of a machine's file system, touched from outside: no link leads out of it.

An image is somebody else's: its `/etc` may be a link to anywhere. Every path here is resolved by
the kernel as if the machine's root were the root. Standard library only.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from typing import NamedTuple

from ephemera.platform.drivers.container import syscalls

#: A larger one is no list of users.
_LIST_BYTES_MAX = 1 << 20


class Owner(NamedTuple):
    """Whom new files and folders belong to: numbers of this computer."""

    uid: int
    gid: int


class Root:
    """The root of a machine's file system, open."""

    def __init__(self, path: str, owner: Owner) -> None:
        self._fd = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self._owner = owner

    def close(self) -> None:
        """Let go of it."""
        os.close(self._fd)

    def make_folders(self, path: str) -> int:
        """Return a descriptor of the folder at `path`, which is made where it is not there.

        Raises:
            OSError: something that is no folder is in the way.
        """
        names = [one for one in path.split("/") if one not in ("", ".")]
        if ".." in names:
            raise OSError(errno.EINVAL, f"'{path}' has '..' in it")
        with suppress(FileNotFoundError):  # most are there
            return syscalls.open_in_root(self._fd, f"/{path}", os.O_RDONLY | os.O_DIRECTORY)
        done = ""
        folder = syscalls.open_in_root(self._fd, "/", os.O_RDONLY | os.O_DIRECTORY)
        for name in names:
            done += f"/{name}"
            try:
                inner = syscalls.open_in_root(self._fd, done, os.O_RDONLY | os.O_DIRECTORY)
            except FileNotFoundError:
                with suppress(FileExistsError):
                    os.mkdir(name, 0o755, dir_fd=folder)
                    os.chown(name, *self._owner, dir_fd=folder, follow_symlinks=False)
                inner = syscalls.open_in_root(self._fd, done, os.O_RDONLY | os.O_DIRECTORY)
            finally:
                os.close(folder)
            folder = inner
        return folder

    def is_at(self, path: str) -> bool:
        """Whether a path leads to the root itself, as by a link in the image."""
        try:
            fd = syscalls.open_in_root(self._fd, path, os.O_PATH)
        except OSError:
            return False
        try:
            return os.path.samestat(os.fstat(fd), os.fstat(self._fd))
        finally:
            os.close(fd)

    def write(self, path: str, content: bytes, mode: int) -> None:
        """Write a file, in the place of whatever file or link is there.

        Raises:
            OSError: it cannot be written.
        """
        place, _, name = path.rpartition("/")
        if name in ("", ".", ".."):
            raise OSError(errno.EINVAL, f"'{path}' is not the path of a file")
        folder = self.make_folders(place)
        try:
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=folder)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            fd = os.open(name, flags, 0o600, dir_fd=folder)
        finally:
            os.close(folder)
        try:
            os.fchown(fd, *self._owner)
            os.fchmod(fd, mode)
            rest = memoryview(content)
            while rest:
                rest = rest[os.write(fd, rest) :]
        finally:
            os.close(fd)

    def read(self, path: str) -> str:
        """Return the text of a file; nothing where there is none."""
        try:
            fd = syscalls.open_in_root(self._fd, path, os.O_RDONLY | os.O_NONBLOCK)
        except OSError:
            return ""
        try:
            found = os.fstat(fd)
            if not stat.S_ISREG(found.st_mode):
                return ""
            # no more than there is: room for the most that may be would be had and given back
            return os.read(fd, min(found.st_size, _LIST_BYTES_MAX)).decode(errors="replace")
        finally:
            os.close(fd)
