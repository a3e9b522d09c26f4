"""Starts `crun` in a machine's cgroup, by a program that enters it and then becomes `crun`.

To put a process into a cgroup takes the kernel 10 ms where nobody has done it for a while, and
`crun` loads libraries for two before it looks at what it is told. So the one that starts a machine
is made ahead of need, and waits in the middle of reading its config, which is a pipe with a name.
Standard library only.

```
 spare     config.json is a pipe ◄── crun reads
 start     all is written to the pipe, then config.json is a file, then the pipe is closed
           crun, which reads its config twice, goes on
```
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Sequence
from contextlib import suppress

from ephemera.platform.drivers.container import programs
from ephemera.platform.drivers.container.cgroups import Cgroup
from ephemera.platform.drivers.container.places import Places
from ephemera.platform.drivers.monitoring.body import Streams

#: What Python or the monitor ignores, a program would ignore too: executing keeps that.
_TO_DEFAULT = (
    signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGPIPE, signal.SIGXFSZ,
    signal.SIGCHLD,
)  # fmt: skip
#: For crun: it protects itself from the machine by executing a copy of itself, unless it is told
#: that it is one, and is on a read-only mount. That takes half of its time, so it is on one.
_ENVIRONMENT = {"PATH": os.defpath, "_LIBCONTAINER_CLONED_BINARY": "1"}
#: As seen from where crun is started, since a path may have a colon in it.
_LIBRARIES = {"LD_LIBRARY_PATH": "../lib"}
#: Where there is no program of ours for it.
_SHELL = "/bin/sh"
_ENTER = 'while [ -n "$1" ]; do echo 0 >"$1" || exit; shift; done; shift; exec "$@"'
CONFIG = "config.json"


class Starter:
    """A `crun` that waits for its config.

    Args:
        place: The path that it reads that from.
        pipe: What is there, to be written to; not blocking.
        streams: Its standard streams.
    """

    def __init__(self, pid: int, place: str, pipe: int, streams: Streams) -> None:
        self.pid = pid
        self.place = place
        self.streams = streams
        self._pipe = pipe

    def go(self, config: bytes) -> None:
        """Have it go on with this config. Whether it does, its end tells."""
        try:
            self._write(memoryview(config))
            write_config(self.place, config)
        finally:
            self.give_up()

    def give_up(self) -> None:
        """Have whoever waits for a config end without one. Repeating is safe."""
        if self._pipe >= 0:
            os.close(self._pipe)
        self._pipe = -1

    def waits(self) -> bool:
        """Whether it is there, and nobody has killed it."""
        with suppress(ChildProcessError):
            ended = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            return ended is None
        return False

    def stop(self) -> None:
        """Have it end instead of starting anything, before it can complain of an empty config."""
        if self.waits():
            os.kill(self.pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(self.pid, 0)
        self.give_up()

    def _write(self, config: memoryview) -> None:
        while True:
            with suppress(BlockingIOError):
                config = config[os.write(self._pipe, config) :]
            if not config or not self._has_room():
                return

    def _has_room(self) -> bool:
        """Wait until it has read some; whether it is there to read more."""
        end = os.pidfd_open(self.pid)
        try:
            waiting = select.poll()
            waiting.register(self._pipe, select.POLLOUT)
            waiting.register(end, select.POLLIN)
            return end not in dict(waiting.poll())
        finally:
            os.close(end)


def write_config(place: str, config: bytes) -> None:
    """Have the config be a file, whatever was there."""
    written = f"{place}.whole"
    file = os.open(written, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        rest = memoryview(config)
        while rest:
            rest = rest[os.write(file, rest) :]
    finally:
        os.close(file)
    os.rename(written, place)


def make(cgroup: Cgroup, places: Places, command: Sequence[str], streams: Streams) -> Starter:
    """Start a `crun` that waits for its config. It ends when this process does.

    Raises:
        OSError: it cannot be started.
    """
    place = f"{places.run}/{CONFIG}"
    os.mkfifo(place, 0o600)
    # to read as well: so there is somebody at the other end until crun is
    pipe = os.open(place, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        pid = execute(cgroup, places, command, streams)
        return Starter(pid, place, pipe, streams)
    except OSError:
        os.close(pipe)
        raise


def environment(places: Places) -> dict[str, str]:
    """Return what crun is to have as its environment, which machines never see."""
    return _ENVIRONMENT | _LIBRARIES if os.path.isdir(places.libraries) else _ENVIRONMENT


def execute(cgroup: Cgroup, places: Places, command: Sequence[str], streams: Streams) -> int:
    """Execute a command in a cgroup, with these as its standard streams; return its pid.

    Raises:
        OSError: it cannot be executed.
    """
    os.chdir(places.run)
    words = [*(f"{one}/cgroup.procs" for one in cgroup.folders), "", *command]
    if programs.here() is None:
        file, words = _SHELL, ["sh", "-c", _ENTER, "sh", *words]
    else:
        file, words = places.enter, ["enter", *words]
    return os.posix_spawn(
        file,
        words,
        environment(places),
        file_actions=[(os.POSIX_SPAWN_DUP2, one, as_) for as_, one in enumerate(streams)],
        setsid=True,  # what signals its own group must not reach the monitor
        setsigmask=(),
        setsigdef=_TO_DEFAULT,
    )
