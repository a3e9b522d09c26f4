"""Asks `crun` for containers and for processes in them, and says why there is none.

It is what starts machines where the calls of `launcher` cannot be made, or where that is wanted.
`crun` is left behind as soon as a process runs: that becomes a child of this process, which has
to be the reaper of its descendants. Its own cgroup manager is not used, see `cgroups`: what it
starts is where it is. Standard library only.
"""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from ephemera.platform.drivers.container import programs
from ephemera.platform.drivers.container.cgroups import Cgroup
from ephemera.platform.drivers.container.places import Places
from ephemera.platform.drivers.monitoring import kernel
from ephemera.platform.drivers.monitoring.body import Streams
from ephemera.platform.drivers.monitoring.program import TO_DEFAULT, NotStarted, ends_in_time

_NAME = "machine"
#: It takes milliseconds. While it is waited for, its monitor does nothing else, so a machine that
#: runs, and may stop the `crun` that comes into it, has less time to keep its own end from it.
_STARTED_WITHIN_S, _EXECUTED_WITHIN_S = 60, 10
#: It protects itself from the machine by executing a copy of itself, unless it is told that it is
#: one, and is on a read-only mount. That takes half of its time, so it is on one.
_ENVIRONMENT = {"PATH": os.defpath, "_LIBCONTAINER_CLONED_BINARY": "1"}
#: Where there is no program of ours that enters cgroups.
_SHELL = "/bin/sh"
_ENTER = 'while [ -n "$1" ]; do echo 0 >"$1" || exit; shift; done; shift; exec "$@"'
#: What crun says of a program that it cannot execute.
_NOT_FOUND = re.compile(r"executable file `(?P<file>.*?)` not found(?: in \$PATH)?")
_NOT_EXECUTED = re.compile(r"(?:open executable|exec[^:]*): (?P<why>[^:]+)$")


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
        self._streams: Streams | None = None

    @property
    def waiting(self) -> int:
        """Nothing: `crun` has to be told all as it starts."""
        return 0

    def prepare(self, streams: Streams) -> None:
        """Remember what the standard streams of the main program are."""
        self._streams = streams

    def give_up(self) -> None:
        """Do nothing: nothing was begun."""

    def start(self, config: Mapping[str, Any], console: str = "") -> int:
        """Start the container, and return the pid of its program.

        Args:
            config: Of the container.
            console: The socket that is told of the terminal, where it has one.

        Raises:
            NotStarted: it was not executed, and nothing of it is left.
        """
        assert self._streams is not None
        self._write("config.json", config)
        words = self._command("run", console, "--bundle", self._places.run)
        pid = self._execute(words, self._streams)
        return self._started(pid, config["process"], _STARTED_WITHIN_S)

    def exec(self, process: Mapping[str, Any], streams: Streams, console: str = "") -> int:
        """Start another process in the container, and return its pid.

        Raises:
            NotStarted, OSError: it was not executed, and nothing of it is left.
        """
        self._write("process.json", process)
        for name in ("pid", "log"):
            with suppress(FileNotFoundError):
                os.unlink(f"{self._run}/{name}")
        words = self._command("exec", console, "--process", "process.json")
        pid = self._execute(words, streams)
        return self._started(pid, process, _EXECUTED_WITHIN_S)

    def _command(self, verb: str, console: str, *words: str) -> list[str]:
        """Return how crun is called; paths are relative to `places.run`."""
        given = [self._places.crun, "--root", "crun", "--cgroup-manager=disabled"]
        given += ["--log", "file:log", verb, "--detach", "--pid-file", "pid", *words]
        return [*given, *(("--console-socket", console) if console else ()), _NAME]

    def _execute(self, command: Sequence[str], streams: Streams) -> int:
        """Execute a command in the machine's cgroup, and return its pid."""
        os.chdir(self._run)
        words = [*(f"{one}/cgroup.procs" for one in self._cgroup.folders), "", *command]
        if programs.here() is None:
            file, words = _SHELL, ["sh", "-c", _ENTER, "sh", *words]
        else:
            file, words = self._places.enter, ["enter", *words]
        return os.posix_spawn(
            file,
            words,
            _ENVIRONMENT,
            file_actions=[(os.POSIX_SPAWN_DUP2, one, as_) for as_, one in enumerate(streams)],
            setsid=True,  # what signals its own group must not reach the monitor
            setsigmask=(),
            setsigdef=TO_DEFAULT,
        )

    def _started(self, pid: int, process: Mapping[str, Any], within_s: float) -> int:
        """Wait for crun, which leaves, and return the pid of what it started."""
        is_late = not ends_in_time(pid, within_s)
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
