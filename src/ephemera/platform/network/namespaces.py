"""Network namespaces: making one, and being in another for a moment.

A network namespace belongs to a thread, not to a process. So the server, which has many threads,
goes into another one with a thread that ends afterwards; a monitor, which has a single thread,
goes there and back. Standard library only: this is loaded by the monitor of every machine.
"""

from __future__ import annotations

import ctypes
import os
import socket
import time
from collections.abc import Callable
from typing import TypeVar

from ephemera.platform.network import netlink

_CLONE_NEWNET = 0x40000000
_LOOK_S = 0.01
_libc = ctypes.CDLL(None, use_errno=True)

T = TypeVar("T")


def enter(namespace: int) -> None:
    """Have the calling thread in a network namespace from now on.

    Args:
        namespace: An open file of `/proc/<pid>/ns/net`.

    Raises:
        OSError: it may not.
    """
    _called(_libc.setns(namespace, _CLONE_NEWNET), "entering a network namespace")


def inside(namespace: int, work: Callable[[], T]) -> T:
    """Return what `work` returns in a network namespace, in a thread that ends with it."""
    return _in_a_thread(lambda: enter(namespace), work)


def fresh() -> int:
    """Make a network namespace, and return an open file of it: it lives while somebody holds it.

    Raises:
        OSError: this process may not make one.
    """
    unshared = "making a network namespace"
    return _in_a_thread(lambda: _called(_libc.unshare(_CLONE_NEWNET), unshared), own)


def own() -> int:
    """Return an open file of the network namespace that the calling thread is in."""
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def of_process(pid: int) -> int | None:
    """Return an open file of the network namespace that a process is in.

    None where it is gone, or not ours to look into and so not of our making.
    """
    try:
        return os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None


def same(one: int, other: int) -> bool:
    """Whether two open files are of the same namespace."""
    first, second = os.fstat(one), os.fstat(other)
    return (first.st_dev, first.st_ino) == (second.st_dev, second.st_ino)


def has_others(namespace: int) -> bool:
    """Whether a process other than this one is in a network namespace. Reads the whole /proc."""
    with os.scandir("/proc") as entries:
        pids = [int(entry.name) for entry in entries if entry.name.isdigit()]
    return any(_is_in(pid, namespace) for pid in pids if pid != os.getpid())


def is_left_within(seconds: float, namespace: int) -> bool:
    """Wait until no process but this one is in a network namespace; whether that came in time."""
    until = time.monotonic() + seconds
    while has_others(namespace):
        if time.monotonic() > until:
            return False
        time.sleep(_LOOK_S)
    return True


def _is_in(pid: int, namespace: int) -> bool:
    found = of_process(pid)
    if found is None:
        return False
    try:
        return same(found, namespace)
    finally:
        os.close(found)


def connect_in(namespace: int, home: int) -> socket.socket:
    """Return a netlink socket of another network namespace, from a process with one thread.

    Args:
        home: An open file of the network namespace that the process is in, and is in afterwards.

    Raises:
        OSError: it may not go there.
    """
    enter(namespace)
    try:
        return netlink.connect()
    finally:
        enter(home)


def _in_a_thread(first: Callable[[], None], work: Callable[[], T]) -> T:
    import threading  # monitors, which never come here, would be the larger for it

    done: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            first()
            done.append(work())
        except BaseException as error:  # noqa: BLE001 - raised again, by the one who waits
            failed.append(error)

    thread = threading.Thread(target=run, name="network namespace")
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return done[0]


def _called(result: int, doing: str) -> None:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{doing}: {os.strerror(code)}")
