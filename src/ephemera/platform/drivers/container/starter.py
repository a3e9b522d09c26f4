"""A process that is in a machine's cgroup already, and becomes `crun` when it is told to.

To put a process into a cgroup takes the kernel 10 ms where nobody has done it for a while, so it
is done ahead of need, with a process that does nothing else. Standard library only.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Sequence
from typing import NamedTuple

from ephemera.platform.drivers.container import syscalls
from ephemera.platform.drivers.container.cgroups import Cgroup

#: What Python or the monitor ignores, a program would ignore too: executing keeps that.
_TO_DEFAULT = (
    signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD,
)  # fmt: skip
#: For crun: it protects itself from the machine by executing a copy of itself, unless it is told
#: that it is one, and is on a read-only mount. That takes half of its time, so it is on one.
_ENVIRONMENT = {"PATH": os.defpath, "_LIBCONTAINER_CLONED_BINARY": "1"}
#: A command and a few numbers.
_ORDER_BYTES_MAX = 4096

Streams = tuple[int, int, int]


class Starter(NamedTuple):
    """A process that waits for its command."""

    pid: int
    tell: int

    def execute(self, command: Sequence[str], folder: str, streams: Streams) -> None:
        """Have it execute a command in a folder, with these as its standard streams."""
        os.write(self.tell, json.dumps([command, folder, streams]).encode())
        os.close(self.tell)


def make(cgroup: Cgroup) -> Starter:
    """Fork a process into a cgroup. It inherits what is open now, and ends with this one."""
    wait, tell = os.pipe()
    pid = cgroup.fork(lambda: _wait(wait, tell))
    os.close(wait)
    return Starter(pid, tell)


def _wait(wait: int, tell: int) -> None:
    os.close(tell)
    syscalls.die_with_parent()
    order = os.read(wait, _ORDER_BYTES_MAX)
    if order:
        execute(*json.loads(order))


def execute(command: list[str], folder: str, streams: Streams) -> None:
    """Be a command from now on. Does not return, except by an exception."""
    os.setsid()  # what signals its own group must not reach the monitor
    os.chdir(folder)
    for number, ours in enumerate(streams):
        os.dup2(ours, number)
    for signum in _TO_DEFAULT:
        signal.signal(signum, signal.SIG_DFL)
    os.execve(command[0], command, _ENVIRONMENT)
