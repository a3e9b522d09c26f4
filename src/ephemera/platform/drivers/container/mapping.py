"""Files shown with other owners than they have on the disk: what each machine sees. Linux only.

Standard library only.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

from ephemera.platform.drivers.container import syscalls
from ephemera.platform.drivers.container.ranges import IDS


def show(folder: str, place: str, pid: int) -> None:
    """Show a folder at a place with the owners that the user namespace of a process has for them.

    Raises:
        OSError: its file system cannot be shown so.
    """
    users = os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    try:
        syscalls.idmapped(folder, users, place)
    finally:
        os.close(users)


def show_host(host: str, beside: list[str], pid: int) -> None:
    """Show this computer's own files likewise; what cannot be shown so, with the owners it has."""
    show("/", host, pid)
    for place in beside:
        try:
            show(place, host + place, pid)
        except OSError:
            with suppress(OSError):  # it was taken away
                syscalls.mount(place, host + place, "", syscalls.MS_BIND)


def show_moved(folders: Iterable[tuple[str, str]], before: int, after: int) -> None:
    """Show folders, each at a place, with the owners of one range as those of another.

    Raises:
        OSError: their file system cannot be shown so.
    """

    def map_users(pid: int) -> None:
        for kind in ("uid_map", "gid_map"):
            with open(f"/proc/{pid}/{kind}", "w") as file:
                file.write(f"{before} {after} {IDS}")

    with user_namespace(map_users) as pid:
        for folder, place in folders:
            show(folder, place, pid)


@contextmanager
def user_namespace(map_users: Callable[[int], None]) -> Iterator[int]:
    """Have a process in a user namespace of its own, for as long as the context is open.

    Args:
        map_users: Says who its users are, given the process.

    Raises:
        OSError: no such namespace can be made.
    """
    made, done = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            syscalls.unshare(syscalls.CLONE_NEWUSER)
            os.write(made[1], b".")
            os.close(done[1])
            os.read(done[0], 1)
        finally:
            os._exit(0)
    os.close(made[1])
    os.close(done[0])
    try:
        if not os.read(made[0], 1):
            raise OSError(0, "no user namespace can be made")
        map_users(pid)
        yield pid
    finally:
        os.close(made[0])
        os.close(done[1])
        os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):  # who ignores the end of children has none to wait for
            os.waitpid(pid, 0)
