"""The files by which the kernel is told of one cgroup, and tells of it. Standard library only."""

from __future__ import annotations

import os
from collections.abc import Mapping

from ephemera.platform.drivers.monitoring import kernel

#: A number that stands for "as much as there is".
_UNLIMITED = 1 << 62


class ControlFiles:
    """Those of one cgroup, which may not be there.

    Args:
        version: 1 or 2; 0 where there are no cgroups to be had.
        folders: Where its files are, by controller; one folder for all in version 2.
    """

    def __init__(self, version: int, folders: Mapping[str, str]) -> None:
        self.version = version
        self._by_controller = folders

    @property
    def folders(self) -> list[str]:
        """The folders that it consists of."""
        return sorted(set(self._by_controller.values()))

    def path(self, controller: str, file: str) -> str:
        """Return where a file is, or would be.

        Raises:
            FileNotFoundError: there is no such controller here.
        """
        folder = self._by_controller.get(controller) or self._by_controller.get("")
        if folder is None:
            raise FileNotFoundError(f"there is no cgroup controller '{controller}'")
        return f"{folder}/{file}"

    def write(self, controller: str, file: str, value: str) -> None:
        """Write to a file; nothing where there are no cgroups.

        Raises:
            FileNotFoundError: this kernel has no such file, or the cgroup is gone.
            OSError: the kernel does not take the value.
        """
        if self.version:
            write(self.path(controller, file), value)

    def read(self, controller: str, file: str) -> str:
        """Return what a file says.

        Raises:
            FileNotFoundError: this kernel has no such file, or the cgroup is gone.
        """
        return kernel.said(self.path(controller, file)).decode()

    def number(self, controller: str, file: str, default: int = 0) -> int:
        """Return the number that a file says; `default` where there is no such file."""
        try:
            text = self.read(controller, file).strip()
        except FileNotFoundError:
            return default
        return _UNLIMITED if text == "max" else int(text)

    def entry(self, controller: str, file: str, key: str) -> int:
        """Return the number behind a key, in a file with one in each line; 0 where it has none.

        Raises:
            FileNotFoundError: this kernel has no such file, or the cgroup is gone.
        """
        for line in self.read(controller, file).splitlines():
            if line.startswith(f"{key} "):
                return int(line.split()[1])
        return 0


def write(path: str, value: str) -> None:
    """Write to a file of the kernel's, in one call.

    Raises:
        OSError: the kernel does not take the value; the message names the file.
    """
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, value.encode())
    except OSError as error:
        raise OSError(error.errno, f"{path}: {error.strerror}") from error
    finally:
        os.close(fd)
