"""The first process of a machine: it reaps, and everything of the machine ends with it.

It is made ahead of need, in new user, process, network, IPC and host name namespaces, which the
machine's programs are started in later. The kernel gives it the orphans of the machine, and kills
all that is in its process namespace when it ends; it is killed itself when its monitor ends. So
nothing of a machine outlives its monitor. Standard library only.
"""

from __future__ import annotations

import os
import signal
from typing import NamedTuple

from ephemera.platform.drivers.container import syscalls

#: How many users and groups a machine has.
IDS = 65536
_NAMESPACES = (
    syscalls.CLONE_NEWPID | syscalls.CLONE_NEWNET | syscalls.CLONE_NEWIPC | syscalls.CLONE_NEWUTS
)


class Init(NamedTuple):
    """The first process of a machine, as its monitor knows it."""

    pid: int
    #: Open for as long as the monitor lives.
    hold: int
    #: The kinds of its namespaces, as the OCI names them, by the names that `/proc` has.
    namespaces: dict[str, str]


def make(ids_from: int | None, sleeper: str, nowhere: str) -> Init:
    """Start the first process of a machine to be.

    Args:
        sleeper: The program that it is to be, see `sleeper`; there may be none.
        nowhere: An empty folder, which is all that it sees: what it sees, the machine may.
        ids_from: The user and group of this computer that a machine's root is; None where it
            gets no user namespace, so that they are the same.

    Raises:
        OSError: the kernel does not let us.
    """
    wait, hold = os.pipe()
    flags = _NAMESPACES | (0 if ids_from is None else syscalls.CLONE_NEWUSER)
    pid = syscalls.clone(
        flags, lambda: _live(wait, hold, sleeper, nowhere, own_ids=ids_from is not None)
    )
    os.close(wait)
    if ids_from is not None:
        for kind in ("uid_map", "gid_map"):
            with open(f"/proc/{pid}/{kind}", "w") as file:
                file.write(f"0 {ids_from} {IDS}")
    os.write(hold, b"g")
    kinds = {"pid": "pid", "net": "network", "ipc": "ipc", "uts": "uts"}
    return Init(pid, hold, kinds if ids_from is None else {"user": "user", **kinds})


def _live(wait: int, hold: int, sleeper: str, nowhere: str, *, own_ids: bool) -> None:
    """Be the first process of a machine until it is killed."""
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
    program = os.open(sleeper, os.O_PATH | os.O_CLOEXEC) if os.path.exists(sleeper) else -1
    os.chroot(nowhere)
    os.chdir("/")
    if program >= 0:
        os.execve(program, ["init"], {})
    syscalls.call_process("init")
    os.dup2(wait, 0)
    os.closerange(1, 1 << 16)
    while os.read(0, 1):  # for ever: nothing is written, and its end is the monitor's
        continue
