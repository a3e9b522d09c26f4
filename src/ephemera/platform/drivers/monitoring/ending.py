"""Ends every process of a boot and returns when each of them is proved dead.

Two occasions: the main program ended and left others behind, or the monitor itself was killed
and its successor clears up. Standard library only.
"""

from __future__ import annotations

import errno
import os
import select
import signal
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from ephemera.platform.drivers.monitoring import kernel
from ephemera.platform.drivers.monitoring.kernel import Process

#: Called with the pid and the wait status of each child that was reaped.
Reaped = Callable[[int, int], None]

#: Elsewhere than on Linux nothing tells when a process group is empty: look this often.
_LOOK_S = 0.01
#: Processes that are waited for at once: each takes a descriptor, of which there may be 1024.
_GRIPS_MAX = 256


def reap(reaped: Reaped) -> bool:
    """Reap the children that are dead by now; whether any child is left."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if pid == 0:
            return True
        reaped(pid, status)


def end_children(main: int, reaped: Reaped) -> None:
    """Kill all that is left of a boot whose main program was reaped.

    On Linux every orphan becomes a child of the monitor, so having no child is proof that
    nothing is left, of whatever group or session. Elsewhere it is the group that must be empty.
    """
    if not kernel.LINUX:
        _end_group(main)
    while reap(reaped):
        left = kernel.descendants(os.getpid())
        if left:
            kill_and_see_dead(left)
        else:  # hidden from us in /proc, or a system without one
            reaped(*os.waitpid(-1, 0))


def _end_group(group: int) -> None:
    with suppress(ProcessLookupError, PermissionError):  # macOS says EPERM where all are zombies
        while True:
            os.killpg(group, signal.SIGKILL)
            select.select([], [], [], _LOOK_S)


def end_leftovers(record: Mapping[str, Any], marker: bytes) -> None:
    """Kill all that is left of a boot whose monitor was killed.

    Args:
        record: What the boot's lock says of its program: pid, start, host.
        marker: The entry of the environment that only processes of this boot have.
    """
    if record["host"] != kernel.HOST_BOOT:
        return  # the computer was started anew since
    if not kernel.LINUX and record["pid"]:
        _end_group(record["pid"])
    # twice none: one that begot another and ended, while they were counted, hides that
    for _ in range(2):
        while victims := [one for one in kernel.processes() if _is_left(one, record, marker)]:
            kill_and_see_dead(victims)


def _is_left(one: Process, record: Mapping[str, Any], marker: bytes) -> bool:
    """Whether a process is the recorded program, of its group, or carries the marker."""
    if record["pid"] and record["pid"] in (one.pid, one.group) and one.start >= record["start"]:
        # a pid is not given away again while a group has it for its name
        leader = kernel.process(record["pid"])
        if leader is None or leader.start == record["start"]:
            return True
    return kernel.environment_holds(one.pid, marker)


def kill_and_see_dead(victims: Iterable[Process]) -> None:
    """Kill these processes and return when each of them is dead; they need not be children.

    Linux only. A pid that was given to somebody else meanwhile is left alone.
    """
    left = list(victims)
    while left:
        _kill_and_see_dead(left[:_GRIPS_MAX])
        del left[:_GRIPS_MAX]


def _kill_and_see_dead(victims: Iterable[Process]) -> None:
    watched: list[int] = []
    try:
        for victim in victims:
            pidfd = _grip(victim)
            if pidfd is not None:
                watched.append(pidfd)
                # it is dead by now, or changed its user: wait for its own end
                with suppress(ProcessLookupError, PermissionError):
                    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        for pidfd in watched:
            poll = select.poll()
            poll.register(pidfd, select.POLLIN)
            poll.poll()
    finally:
        for pidfd in watched:
            os.close(pidfd)


def send_signal(targets: Iterable[Process], signum: int) -> None:
    """Send a signal to each of these processes that still lives. Linux only."""
    for target in targets:
        pidfd = _grip(target)
        if pidfd is None:
            continue
        try:
            with suppress(ProcessLookupError, PermissionError):
                signal.pidfd_send_signal(pidfd, signum)
        finally:
            os.close(pidfd)


def _grip(victim: Process) -> int | None:
    """Return a descriptor of exactly this process, or None where it is gone."""
    try:
        pidfd = os.pidfd_open(victim.pid)
    except OSError as error:
        # the second, from older kernels, where only its group or session has the number still
        if error.errno in (errno.ESRCH, errno.EINVAL):
            return None
        raise
    now = kernel.process(victim.pid)
    if now is not None and now.start == victim.start:
        return pidfd
    os.close(pidfd)
    return None
