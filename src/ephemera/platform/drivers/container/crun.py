"""Asks `crun` for containers and for processes in them, and says why there is none.

`crun` is left behind as soon as a process runs: that becomes a child of this process, which has
to be the reaper of its descendants. Its own cgroup manager is not used, see `cgroups`: what it
starts is where it is. Standard library only.
"""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Sequence
from contextlib import suppress

from ephemera.platform.drivers.container.cgroups import Cgroup
from ephemera.platform.drivers.monitoring.program import NotStarted

_TO_DEFAULT = (
    signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD,
)  # fmt: skip
_NAME = "machine"
#: What crun says of a program that it cannot execute.
_NOT_FOUND = re.compile(r"executable file `(?P<file>.*?)` not found(?: in \$PATH)?")
_NOT_EXECUTED = re.compile(r"(?:open executable|exec): (?P<why>[^:]+)$")

Streams = tuple[int, int, int]


class Crun:
    """`crun`, for the one container of this process.

    Args:
        program: Its path.
        run: A folder that is nobody else's, where this process is at.
    """

    def __init__(self, program: str, run: str) -> None:
        self._program = program
        self._run = run

    def start(self, config: object, streams: Streams, cgroup: Cgroup, console: str = "") -> int:
        """Start the container, and return the pid of its program.

        Args:
            console: The socket that is told of the terminal, where it has one.

        Raises:
            NotStarted: it was not executed, and nothing of it is left.
        """
        self._write("config.json", config)
        return self._ask("run", ["--bundle", self._run], streams, cgroup, console)

    def exec(self, process: object, streams: Streams, cgroup: Cgroup, console: str = "") -> int:
        """Start another process in the container, and return its pid.

        Raises:
            NotStarted: it was not executed, and nothing of it is left.
        """
        self._write("process.json", process)
        return self._ask("exec", ["--process", "process.json"], streams, cgroup, console)

    def _ask(
        self, verb: str, words: Sequence[str], streams: Streams, cgroup: Cgroup, console: str
    ) -> int:
        for name in ("pid", "log"):
            with suppress(FileNotFoundError):
                os.unlink(f"{self._run}/{name}")
        command = [self._program, "--root", f"{self._run}/crun", "--cgroup-manager=disabled"]
        command += ["--log", f"file:{self._run}/log", verb, "--detach", "--pid-file", "pid", *words]
        if console:
            command += ["--console-socket", console]
        pid = self._spawn([*command, _NAME], streams, cgroup)
        _, status = os.waitpid(pid, 0)
        if status:
            raise NotStarted(self._why(os.waitstatus_to_exitcode(status)))
        with open(f"{self._run}/pid") as file:
            return int(file.read())

    def _spawn(self, command: list[str], streams: Streams, cgroup: Cgroup) -> int:
        """Fork, enter the cgroup, and execute: only a fork can be put there before it runs."""
        pid = os.fork()
        if pid:
            return pid
        try:
            cgroup.enter()
            os.setsid()  # what signals its own group must not reach us
            os.chdir(self._run)
            for number, ours in enumerate(streams):
                os.dup2(ours, number)
            for signum in _TO_DEFAULT:
                signal.signal(signum, signal.SIG_DFL)
            os.execv(command[0], command)
        finally:
            os._exit(127)

    def _write(self, name: str, content: object) -> None:
        with open(f"{self._run}/{name}", "w") as file:
            json.dump(content, file)

    def _why(self, code: int) -> str:
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
        return re.sub(r"^\S+ ", "", said) if said[:4].isdigit() else said
