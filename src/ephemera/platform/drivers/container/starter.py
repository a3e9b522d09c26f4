"""Starts `crun` in a machine's cgroup, by a shell that enters it and then becomes `crun`.

To put a process into a cgroup takes the kernel 10 ms where nobody has done it for a while. So the
shell that starts a machine is made ahead of need, and waits to be told. A shell, because it costs
a tenth of a fork of the monitor. Standard library only.
"""

from __future__ import annotations

import os
import shlex
import signal
from collections.abc import Sequence
from typing import NamedTuple

from ephemera.platform.drivers.container.cgroups import Cgroup
from ephemera.platform.drivers.container.places import Places

#: What Python or the monitor ignores, a program would ignore too: executing keeps that.
_TO_DEFAULT = (
    signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD,
)  # fmt: skip
#: For crun: it protects itself from the machine by executing a copy of itself, unless it is told
#: that it is one, and is on a read-only mount. That takes half of its time, so it is on one.
_ENVIRONMENT = {"PATH": os.defpath, "_LIBCONTAINER_CLONED_BINARY": "1"}
_SHELL = "/bin/sh"
_ENTER = "for one; do echo 0 >$one/cgroup.procs || exit; done; cd {run}; "
#: One line of the shell's input is what else crun is told; where none comes, the shell ends.
_WHEN_TOLD = "read -r more || exit; exec {crun} $more machine <&3 >&4 2>&4 3<&- 4>&-"

Streams = tuple[int, int, int]


class Starter(NamedTuple):
    """A shell that waits to become `crun`."""

    pid: int
    tell: int

    def go(self, more: str) -> None:
        """Have it be crun, with these words more."""
        os.write(self.tell, more.encode() + b"\n")
        os.close(self.tell)


def make(
    cgroup: Cgroup, places: Places, command: Sequence[str], stdin: int, stdout: int
) -> Starter:
    """Make a shell that is to execute a command. It ends when this process does.

    Args:
        stdin, stdout: The standard streams that the command is to have.

    Raises:
        OSError: it cannot be made.
    """
    wait, tell = os.pipe()
    script = _enter(places) + _WHEN_TOLD.format(crun=shlex.join(command))
    pid = _spawn(script, cgroup, (wait, stdin, stdout), (0, 3, 4))
    os.close(wait)
    return Starter(pid, tell)


def execute(cgroup: Cgroup, places: Places, command: Sequence[str], streams: Streams) -> int:
    """Execute a command in a cgroup, with these as its standard streams; return its pid.

    Raises:
        OSError: it cannot be executed.
    """
    script = f"{_enter(places)}exec {shlex.join(command)}"
    return _spawn(script, cgroup, streams, (0, 1, 2))


def _enter(places: Places) -> str:
    return _ENTER.format(run=shlex.quote(places.run))


def _spawn(script: str, cgroup: Cgroup, ours: Streams, theirs: Streams) -> int:
    return os.posix_spawn(
        _SHELL,
        ["sh", "-c", script, "sh", *cgroup.folders],
        _ENVIRONMENT,
        file_actions=[
            (os.POSIX_SPAWN_DUP2, one, as_) for one, as_ in zip(ours, theirs, strict=True)
        ],
        setsid=True,  # what signals its own group must not reach the monitor
        setsigmask=(),
        setsigdef=_TO_DEFAULT,
    )
