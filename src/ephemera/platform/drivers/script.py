"""What a machine of the mock driver plays: the words of its commands, and what each one does.

| Command                   | What the machine does                                               |
|---------------------------|---------------------------------------------------------------------|
| `["exit", "3"]`           | is started and ends at once with that exit code (0 where none)      |
| `["run"]`                 | runs until a signal ends it, with 128 + its number                  |
| `["sleep", "86400"]`      | the same                                                            |
| `["ignore-term"]`         | the same, but only SIGKILL ends it                                  |
| `["stay-awake"]`          | runs, and cannot be suspended                                       |
| `["print", "a", "b"]`     | writes these lines to its log and ends with 0                       |
| `["write", "/d/x", "t"]`  | writes the text `t` to that file and ends with 0                    |
| `["read", "/d/x"]`        | writes the lines of that file to its log, ends with 0               |
| `["oom"]`                 | runs out of memory: exit code 137, signal 9, `oom_killed`           |
| `["lose"]`                | runs, and its end is seen by nobody: exit code -1                   |
| `["fail-boot", "why"]`    | cannot be started: `BootFailed`                                     |
| `["no-image"]`            | cannot be started: `ImageUnavailable`                               |
| `["pull"]`                | waits for its image until it is told to end: `StartCancelled`       |
| anything else             | cannot be started: `BootFailed`, as for a command that is not found |

A file below a mount is in the volume, any other in the boot's own file system, which is empty at
first. `write` and `read` end with 1 where the file cannot be had.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ephemera.errors import BootFailed, ImageUnavailable
from ephemera.platform.drivers.base import BootSpec, Exit, Memory, ProcessStat

#: Signals that end no program by themselves.
_HARMLESS = frozenset({0, signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH})
#: What every machine of this driver is said to use.
_USED_MB = 64


class Attached(Protocol):
    """A command that runs beside the programs of a machine."""

    command: Sequence[str]

    @property
    def has_ended(self) -> bool:
        """Whether it runs no more."""
        ...

    def end(self, exit_code: int) -> None:
        """End it, unless it has ended before."""
        ...


@dataclass(eq=False, slots=True)
class Boot:
    """One machine that somebody believes to run."""

    spec: BootSpec
    exit: Exit | None = None
    is_frozen: bool = False
    limit_mb: int = 0
    waiters: set[asyncio.Future[Exit]] = field(default_factory=set)
    #: Signals that came while it was frozen.
    pending: list[int] = field(default_factory=list)
    #: Its own file system.
    files: dict[str, bytes] = field(default_factory=dict)
    #: The terminals in it, also those that have ended.
    terminals: list[Attached] = field(default_factory=list)
    #: The terminals in copies of what it left.
    looks: list[Attached] = field(default_factory=list)

    def end(self, exit_code: int, *, signum: int = -1, oom: bool = False, error: str = "") -> None:
        """End it, unless it has ended before, and tell all who wait."""
        if self.exit is not None:
            return
        self.exit = Exit(exit_code, signum, oom, error, exited_at=time.time())
        for waiter in self.waiters:
            if not waiter.done():
                waiter.set_result(self.exit)
        for terminal in self.terminals:
            terminal.end(128 + signal.SIGKILL)

    async def ended(self) -> Exit:
        """Return how it ended, once it has."""
        if self.exit is not None:
            return self.exit
        waiter: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
        self.waiters.add(waiter)
        try:
            return await waiter
        finally:
            self.waiters.discard(waiter)

    def take_signal(self, signum: int) -> None:
        """Do what the program does with a signal, now or when it is resumed."""
        if self.is_frozen and signum != signal.SIGKILL:
            self.pending.append(signum)
            return
        ignores = self.spec.command[0] == "ignore-term" and signum != signal.SIGKILL
        if signum not in _HARMLESS and not ignores:
            self.end(128 + signum, signum=signum)

    def freeze(self) -> None:
        """Suspend it.

        Raises:
            BootFailed: its script says that it cannot be.
        """
        if self.spec.command[0] == "stay-awake":
            raise BootFailed("the machine cannot be suspended")
        self.is_frozen = True

    def thaw(self) -> None:
        """Let it go on, with the signals that came meanwhile."""
        self.is_frozen = False
        pending, self.pending = self.pending, []
        for signum in pending:
            self.take_signal(signum)

    def processes(self) -> list[ProcessStat]:
        """Return one process for each program and terminal of a machine that has not ended."""
        if self.exit is not None:
            return []
        return [
            ProcessStat(
                pid=number,
                command=" ".join(command),
                directory="/",
                cpu=0,
                rss=_USED_MB * 1024 * 1024,
                rtime=0,
                stime=0,
            )
            for number, command in enumerate(self._running(), start=1)
        ]

    def _running(self) -> Iterator[Sequence[str]]:
        yield from commands(self.spec)
        yield from (one.command for one in self.terminals if not one.has_ended)

    def memory(self) -> Memory:
        """Return its limit, and what of that is free."""
        limit_mb = self.limit_mb or self.spec.memory_mb
        return Memory(limit_mb, max(0, limit_mb - _USED_MB))

    def play(self, command: Sequence[str]) -> Iterator[str]:
        """Do what one of its programs does at once, and yield the lines that it prints."""
        word, arguments = split(command)
        if word == "exit":
            self.end(exit_code(arguments))
        elif word == "print":
            yield from arguments
            self.end(0)
        elif word in ("read", "write"):
            code, said = self.touch(word, arguments)
            yield from said.splitlines()
            self.end(code)
        elif word == "oom":
            self.end(128 + signal.SIGKILL, signum=signal.SIGKILL, oom=True)
        elif word == "lose":
            self.end(-1, error="the machine's monitor was killed, and the machine with it")

    def touch(self, word: str, arguments: Sequence[str]) -> tuple[int, str]:
        """Write or read a file; return the exit code and what is printed."""
        path = arguments[0] if arguments else ""
        place = _place(self.spec, path)
        try:
            if word == "write":
                self._write(place, path, " ".join(arguments[1:]))
                return 0, ""
            return 0, place.read_text() if place else self.files[path].decode()
        except OSError as error:
            return 1, f"{path}: {error.strerror}"
        except KeyError:
            return 1, f"{path} is not there"

    def _write(self, place: Path | None, path: str, text: str) -> None:
        if place is None:
            self.files[path] = text.encode()
        else:
            place.write_text(text)


_WORDS = frozenset(
    {
        "exit",
        "run",
        "sleep",
        "ignore-term",
        "stay-awake",
        "print",
        "pull",
        "write",
        "read",
        "oom",
        "lose",
    }
)


def commands(spec: BootSpec) -> list[Sequence[str]]:
    """Return the commands of all programs of a boot, the main one first."""
    return [spec.command, *(one.command for one in spec.beside)]


def check(spec: BootSpec) -> None:
    """Let a boot pass that can be played.

    Raises:
        ImageUnavailable: the script says so.
        BootFailed: the script says so, or does not know a command; or a volume is not there.
    """
    for command in commands(spec):
        word, arguments = split(command)
        if word == "no-image":
            raise ImageUnavailable("there is no such image")
        if word == "fail-boot":
            raise BootFailed(" ".join(arguments) or "the machine cannot be started")
        if word not in _WORDS:
            raise not_found(word)
    for mount in spec.mounts:
        if not Path(mount.source).is_dir():
            raise BootFailed(f"the volume for '{mount.path}' is not there")


async def image(spec: BootSpec) -> None:
    """Return when a boot has its image: at once, or never."""
    if spec.command[:1] == ["pull"]:
        await asyncio.get_running_loop().create_future()


def not_found(word: str) -> BootFailed:
    """Return the error for a command that the script does not know."""
    return BootFailed(f"command '{word}' not found in PATH")


def split(command: Sequence[str]) -> tuple[str, Sequence[str]]:
    """Return the word of a command and its arguments."""
    if not command:
        raise BootFailed("there is no command to run")
    return command[0], command[1:]


def exit_code(arguments: Sequence[str]) -> int:
    """Return the code that `exit` is told to end with."""
    return int(arguments[0]) if arguments else 0


def _place(spec: BootSpec, path: str) -> Path | None:
    """Return where a path of the machine really is; None where it is not below a mount."""
    for mount in spec.mounts:
        below = path.removeprefix(mount.path.rstrip("/") + "/")
        if below != path and ".." not in below.split("/"):
            return Path(mount.source) / below
    return None
