"""Asks `crun` for containers and for processes in them, and says why there is none.

`crun` is left behind as soon as a process runs: that becomes a child of this process, which has
to be the reaper of its descendants. Its own cgroup manager is not used, see `cgroups`: what it
starts is where it is. Standard library only.
"""

from __future__ import annotations

import json
import os
import re
import select
import signal
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from ephemera.platform.drivers.container import starter
from ephemera.platform.drivers.container.cgroups import Cgroup
from ephemera.platform.drivers.container.places import Places
from ephemera.platform.drivers.container.starter import Starter
from ephemera.platform.drivers.monitoring import kernel
from ephemera.platform.drivers.monitoring.body import Streams
from ephemera.platform.drivers.monitoring.program import NotStarted

_NAME = "machine"
#: It takes milliseconds. While it is waited for, its monitor does nothing else, so a machine that
#: runs, and may stop the `crun` that comes into it, has less time to keep its own end from it.
_STARTED_WITHIN_S, _EXECUTED_WITHIN_S = 60, 10
#: What crun says of a program that it cannot execute.
_NOT_FOUND = re.compile(r"executable file `(?P<file>.*?)` not found(?: in \$PATH)?")
_NOT_EXECUTED = re.compile(r"(?:open executable|exec[^:]*): (?P<why>[^:]+)$")


def command(places: Places, verb: str, *words: str) -> list[str]:
    """Return how crun is called for the one container of this process.

    Paths are relative to `places.run`.
    """
    given = [places.crun, "--root", "crun", "--cgroup-manager=disabled", "--log", "file:log"]
    return [*given, verb, "--detach", "--pid-file", "pid", *words]


def run_command(places: Places, *more: str) -> list[str]:
    """Return how the container is started."""
    return command(places, "run", "--bundle", places.run, *more, _NAME)


class Crun:
    """`crun`, for the one container of this process.

    Args:
        places: Where it is, and where it and this process tell each other things.
        cgroup: Of the container.
    """

    def __init__(self, places: Places, cgroup: Cgroup) -> None:
        self._places = places
        self._cgroup = cgroup
        self._run = places.run

    def start(self, config: Mapping[str, Any], by: Starter, console: str = "") -> int:
        """Start the container, and return the pid of its program.

        Args:
            by: Waits to be crun.
            console: The socket that is told of the terminal, where it has one.

        Raises:
            NotStarted: it was not executed, and nothing of it is left.
        """
        told = json.dumps(config).encode()
        if by.waits() and not console:
            by.go(told)
            pid = by.pid
        else:
            pid = self._start_another(console, told, by)
        return self._started(pid, config["process"], _STARTED_WITHIN_S)

    def _start_another(self, console: str, config: bytes, by: Starter) -> int:
        """Start another crun, in the place of one that was killed or not told of a terminal."""
        by.stop()
        starter.write_config(by.place, config)
        words = run_command(self._places, *(("--console-socket", console) if console else ()))
        return starter.execute(self._cgroup, self._places, words, by.streams)

    def exec(self, process: Mapping[str, Any], streams: Streams, console: str = "") -> int:
        """Start another process in the container, and return its pid.

        Raises:
            NotStarted, OSError: it was not executed, and nothing of it is left.
        """
        self._write("process.json", process)
        for name in ("pid", "log"):
            with suppress(FileNotFoundError):
                os.unlink(f"{self._run}/{name}")
        more = ("--console-socket", console) if console else ()
        words = command(self._places, "exec", "--process", "process.json", *more, _NAME)
        pid = starter.execute(self._cgroup, self._places, words, streams)
        return self._started(pid, process, _EXECUTED_WITHIN_S)

    def _started(self, pid: int, process: Mapping[str, Any], within_s: float) -> int:
        """Wait for crun, which leaves, and return the pid of what it started."""
        is_late = not _ends_in_time(pid, within_s)
        if is_late:
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        if is_late:
            raise NotStarted(f"crun was not done after {within_s} seconds, and was killed")
        if status:
            raise NotStarted(self._why(os.waitstatus_to_exitcode(status), process["args"][0]))
        try:
            return int(kernel.said(f"{self._run}/pid"))
        except (FileNotFoundError, ValueError) as error:
            raise NotStarted("crun ended well, and did not say what it started") from error

    def _write(self, name: str, content: object) -> None:
        with open(f"{self._run}/{name}", "w") as file:
            json.dump(content, file)

    def _why(self, code: int, program: str) -> str:
        """Return what crun had to say, in the words of whoever asked for a program."""
        try:
            with open(f"{self._run}/log", errors="replace") as file:
                said = file.read().strip().rpartition("\n")[2]
        except FileNotFoundError:
            said = ""
        if not said:
            return f"crun ended with {code} and said nothing"
        missing = _NOT_FOUND.search(said)
        if missing:
            where = "does not exist" if "/" in missing["file"] else "not found in PATH"
            return f"command '{missing['file']}' {where}"
        refused = _NOT_EXECUTED.search(said)
        if refused:
            return f"command '{program}' cannot be executed: {refused['why']}"
        return re.sub(r"^\S+ ", "", said) if said[:4].isdigit() else said


def _ends_in_time(child: int, within_s: float) -> bool:
    pidfd = os.pidfd_open(child)
    try:
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        return bool(poll.poll(within_s * 1000))
    finally:
        os.close(pidfd)
