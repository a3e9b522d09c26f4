"""The first process of a machine: it reaps, and everything of the machine ends with it.

It is made ahead of need, in new user, process, network, IPC and host name namespaces, which the
machine's programs are started in later. The kernel gives it the orphans of the machine, and kills
all that is in its process namespace when it ends; it is killed itself when its monitor ends. So
nothing of a machine outlives its monitor. It sees an empty folder: what it sees, the machine may.
Standard library only.
"""

from __future__ import annotations

import os
import signal
import struct
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from ephemera.platform.drivers.container import programs, ranges, syscalls
from ephemera.platform.drivers.container.places import Places
from ephemera.platform.drivers.container.ranges import IDS
from ephemera.platform.drivers.monitoring import kernel

_NAMESPACES = (
    syscalls.CLONE_NEWPID | syscalls.CLONE_NEWNET | syscalls.CLONE_NEWIPC | syscalls.CLONE_NEWUTS
)
_NUMBER = struct.Struct("=i")


class Init(NamedTuple):
    """The first process of a machine, as its monitor knows it."""

    pid: int
    #: When it was started: with the pid it names a process for ever.
    start: int
    #: Open for as long as the monitor lives.
    hold: int
    #: The kinds of its namespaces, as the OCI names them, by the names that `/proc` has.
    namespaces: dict[str, str]

    def namespace(self, kind: str) -> str:
        """Return the path of one of its namespaces, by the name that `/proc` has for its kind."""
        return f"/proc/{self.pid}/ns/{kind}"

    def paths(self) -> dict[str, str]:
        """Return the paths of all of them, by the names that the OCI has for their kinds."""
        return {oci: self.namespace(kind) for kind, oci in self.namespaces.items()}


def namespaces(*, own_ids: bool) -> int:
    """Return which namespaces it has of its own, as `clone` has them."""
    return _NAMESPACES | (syscalls.CLONE_NEWUSER if own_ids else 0)


def make(ids_from: int | None, places: Places, nowhere: int) -> Init:
    """Start the first process of a machine to be.

    Args:
        ids_from: The user and group of this computer that a machine's root is; None where it
            gets no user namespace, so that they are the same.
        nowhere: An empty folder with nothing above it, which is all that it is to see. What is
            below others would lead to all files of this computer: by `/proc/1/root/..`.

    Raises:
        OSError: the kernel does not let us.
    """
    wait, hold = os.pipe()
    own_ids = ids_from is not None
    try:
        os.fchdir(nowhere)
        if programs.here() is None:
            live = partial(_live, wait, hold, own_ids=own_ids)
            pid = syscalls.clone(namespaces(own_ids=own_ids), live)
        else:
            pid = _spawned(wait, places)
    finally:
        os.close(wait)
    start = kernel.start_of_child(pid)
    if ids_from is not None:
        for kind in ("uid_map", "gid_map"):
            file = os.open(f"/proc/{pid}/{kind}", os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.write(file, f"0 {ids_from} {IDS}".encode())
            finally:
                os.close(file)
        ranges.note(places.ranges, ids_from, pid, start)
    os.write(hold, b"g")
    kinds = {"pid": "pid", "net": "network", "ipc": "ipc", "uts": "uts"}
    return Init(pid, start, hold, kinds if ids_from is None else {"user": "user", **kinds})


def _spawned(wait: int, places: Places) -> int:
    """Start it by a program that is small enough to be copied."""
    told, tell = os.pipe()
    streams = [(os.POSIX_SPAWN_DUP2, wait, 0), (os.POSIX_SPAWN_DUP2, tell, 1)]
    try:
        maker = os.posix_spawn(places.init, ["init"], {}, file_actions=streams)
    finally:
        os.close(tell)
    answer = os.read(told, _NUMBER.size)
    os.close(told)
    with suppress(ChildProcessError):  # who ignores the end of children has none to wait for
        os.waitpid(maker, 0)
    pid = _NUMBER.unpack(answer)[0] if answer else 0
    if pid <= 0:
        raise OSError(
            -pid, f"clone: {os.strerror(-pid)}" if pid else "the first process was killed"
        )
    return pid


def _live(wait: int, hold: int, *, own_ids: bool) -> None:
    """Be the first process of a machine until it is killed, as a fork of the monitor.

    For architectures that `programs.first` is not there for.
    """
    os.close(hold)
    syscalls.die_with_parent()
    if os.read(wait, 1) != b"g":
        return
    if own_ids:
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)
        syscalls.die_with_parent()  # becoming another user has undone it
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_IGN)  # SIGCHLD: so the kernel reaps
    os.chroot(".")
    os.chdir("/")
    syscalls.call_process("init")
    os.dup2(wait, 0)
    os.closerange(1, 1 << 16)
    while os.read(0, 1):  # for ever: nothing is written, and its end is the monitor's
        continue
