"""Starts what runs in a machine by a list of system calls, without a runtime in between.

A program of a page makes the calls (`programs.caller`), which are written down in memory that it
shares with this process. It leaves a process behind, in the machine, which goes on with the list
and becomes the program in the end: a child of ours, and not of its own. Standard library only.

```
 monitor ──starts──► caller ──leaves behind──► waits in the machine ──► program
    └────────────── memory with calls ────────────┘      wake: a byte; closed when it is the program
```
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from ephemera.platform.drivers.container import programs
from ephemera.platform.drivers.container.calls import Calls
from ephemera.platform.drivers.container.cgroups import Cgroup
from ephemera.platform.drivers.container.init import Init
from ephemera.platform.drivers.container.launch import WAKE, Launch
from ephemera.platform.drivers.container.places import Places
from ephemera.platform.drivers.monitoring import kernel
from ephemera.platform.drivers.monitoring.body import Streams
from ephemera.platform.drivers.monitoring.program import TO_DEFAULT, NotStarted, ends_in_time

#: It takes milliseconds. While it is waited for, its monitor does nothing else, so a machine that
#: runs, and may stop whoever comes into it, has less time to keep its own end from it.
_STARTED_WITHIN_S, _EXECUTED_WITHIN_S = 60, 10
#: How often it is looked whether the machine did that.
_LOOK_S = 0.05


class Waiting:
    """A process in a machine, on its way to being a program.

    Args:
        pid: Of it, a child of ours.
        calls: What it makes.
        wake: What it is woken by, and what has nobody at the other end when it is a program, or
            dead.
    """

    def __init__(self, pid: int, calls: Calls, wake: int) -> None:
        self.pid = pid
        self._calls = calls
        self._wake = wake

    def is_there(self) -> bool:
        """Whether nobody has killed it, be it that it has had no processor since."""
        with suppress(ChildProcessError):
            ended = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            return ended is None and not kernel.is_ending(self.pid)
        return False

    def go(self) -> None:
        """Have it go on, for which its list is longer now."""
        with suppress(BrokenPipeError):  # it is dead
            os.write(self._wake, b"g")

    def give_up(self) -> None:
        """Have it end if it waits. Repeating is safe."""
        if self._wake >= 0:
            os.close(self._wake)
            self._calls.end()
        self._wake = -1

    def program(self, within_s: float) -> int:
        """Wait until it is a program, or dead, and return its pid.

        Raises:
            NotStarted: it is no program, and is gone.
        """
        try:
            hindrance = self._hindrance(within_s)
            failure = hindrance or self._calls.failure
        finally:
            self.give_up()
        if hindrance:
            os.kill(self.pid, signal.SIGKILL)
        if failure:
            with suppress(ChildProcessError):  # who ignores the end of children has none to reap
                os.waitpid(self.pid, 0)
            raise NotStarted(failure)
        return self.pid

    def _hindrance(self, within_s: float) -> str:
        """Wait until it is a program, or dead, and return nothing; else what keeps it from that."""
        poll = select.poll()
        poll.register(self._wake, 0)  # that nobody reads is told of in any case
        until = time.monotonic() + within_s
        while not poll.poll(_LOOK_S * 1000):
            if self._was_stopped():
                return "a process of the machine stopped who came to start the program"
            if time.monotonic() >= until:
                return f"the program was not executed after {within_s} seconds"
        return ""

    def _was_stopped(self) -> bool:
        """Whether somebody has sent it SIGSTOP, be it that it may go on by now."""
        which = os.WSTOPPED | os.WCONTINUED
        with suppress(ChildProcessError):
            return os.waitid(os.P_PID, self.pid, which | os.WNOHANG | os.WNOWAIT) is not None
        return False


class Ahead(NamedTuple):
    """What was begun before it was known what is to be started."""

    waiting: Waiting
    launch: Launch
    #: Of the program to be.
    streams: Streams


class Launcher:
    """What starts the programs of one machine.

    Args:
        places: Where the program is that makes calls.
        cgroup: Of the machine.
        first: Its first process, in whose namespaces the others are.
    """

    def __init__(self, places: Places, cgroup: Cgroup, first: Init) -> None:
        self._places = places
        self._cgroup = cgroup
        self._namespaces = first.paths()
        self._ahead: Ahead | None = None
        self._filter = ""
        self._main = 0

    @property
    def waiting(self) -> int:
        """The pid of a child of ours that was begun ahead; 0 where there is none."""
        return self._ahead.waiting.pid if self._ahead else 0

    def prepare(self, streams: Streams) -> None:
        """Have a process in the machine that waits to be its program. It ends when this one does.

        Raises:
            OSError: it cannot be started.
        """
        calls, launch = self._list()
        unified = self._cgroup.version == 2
        launch.wait(self._cgroup.folders, self._namespaces, unified=unified)
        try:
            waiting = self._call(calls, streams, _STARTED_WITHIN_S)
        except NotStarted as error:
            raise OSError(0, str(error)) from error
        self._ahead = Ahead(waiting, launch, streams)

    def start(self, config: Mapping[str, Any], console: str = "") -> int:
        """Start the program of the machine, and return its pid.

        Raises:
            NotStarted, OSError: it was not executed, and nothing of it is left.
        """
        ahead = self._begun()
        self._filter = config.get("annotations", {}).get("run.oci.seccomp_bpf_data", "")
        ahead.launch.begin(config, console)
        ahead.launch.become(config["process"], self._filter, ahead.streams.pipes())
        ahead.waiting.go()
        self._main = ahead.waiting.program(_STARTED_WITHIN_S)
        return self._main

    def exec(self, process: Mapping[str, Any], streams: Streams, console: str = "") -> int:
        """Start another program in the machine, and return its pid.

        Raises:
            NotStarted, OSError: it was not executed, and nothing of it is left.
        """
        calls, launch = self._list()
        main = f"/proc/{self._main}/ns"
        inside = {**self._namespaces, "mount": f"{main}/mnt", "cgroup": f"{main}/cgroup"}
        try:
            launch.visit(self._cgroup.folders, inside, self._places.nowhere, console)
            launch.become(process, self._filter, streams.pipes())
        except (NotStarted, OSError):
            calls.end()
            raise
        return self._call(calls, streams, _EXECUTED_WITHIN_S).program(_EXECUTED_WITHIN_S)

    def give_up(self) -> None:
        """Have what was begun end without a program. Repeating is safe."""
        if self._ahead:
            self._ahead.waiting.give_up()

    def _begun(self) -> Ahead:
        """Return what was begun ahead, begun anew if that was killed."""
        ahead = self._ahead
        assert ahead is not None
        if not ahead.waiting.is_there():
            self.give_up()
            self.prepare(ahead.streams)
        return self._ahead or ahead

    def _list(self) -> tuple[Calls, Launch]:
        code = programs.here()
        assert code is not None
        calls = Calls(code, range(WAKE + 1))
        return calls, Launch(calls)

    def _call(self, calls: Calls, streams: Streams, within_s: float) -> Waiting:
        """Have calls be made, and return the process in the machine that makes the last of them.

        Raises:
            NotStarted, OSError: there is none.
        """
        wait, wake = os.pipe()
        # not one of the numbers that are given out below
        lifted = fcntl.fcntl(wait, fcntl.F_DUPFD_CLOEXEC, programs.CALLS_FD + 1)
        os.close(wait)
        try:
            self._leave_behind(calls, streams, lifted, within_s)
            if not calls.pid:
                raise NotStarted(calls.failure or "whoever starts programs was killed, or is late")
        except (NotStarted, OSError):
            os.close(wake)
            calls.end()
            raise
        finally:
            os.close(lifted)
        return Waiting(calls.pid, calls, wake)

    def _leave_behind(self, calls: Calls, streams: Streams, wait: int, within_s: float) -> None:
        """Start a process that makes calls, and return when it left another behind, or did not."""
        given = [*enumerate(streams), (programs.CALLS_FD, calls.fileno()), (WAKE, wait)]
        os.chdir(self._places.run)
        pid = os.posix_spawn(
            self._places.caller,
            ["caller"],
            {},
            file_actions=[(os.POSIX_SPAWN_DUP2, one, as_) for as_, one in given],
            setsigmask=(),
            setsigdef=TO_DEFAULT,
        )
        # who ignores the end of children has none to wait for
        with suppress(ChildProcessError, ProcessLookupError):
            # of the machine's processor it may have next to nothing
            if not ends_in_time(pid, within_s):
                os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
