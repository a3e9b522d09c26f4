"""What a driver brings to the monitor: how the programs of a boot are run, reached and ended.

Standard library only, as everything that runs in a monitor.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from ephemera.platform.drivers.monitoring.beside import Command
from ephemera.platform.drivers.monitoring.consoles import Console
from ephemera.platform.drivers.monitoring.ending import Reaped
from ephemera.platform.drivers.monitoring.folder import BootFolder
from ephemera.platform.drivers.monitoring.frames import Message

#: Writes down as which process the boot runs; 0 before it is known. Called before anything runs.
Record = Callable[[int], None]


class NotFrozen(Exception):
    """A process cannot be stopped; the message says which. Everything runs on."""


class Streams(NamedTuple):
    """The descriptors that the programs of a boot get: standard input, output and error."""

    stdin: int
    stdout: int
    stderr: int

    def pipes(self) -> list[int]:
        """Return which are pipes, 0 to 2. Others, `/dev/null` among them, are the computer's."""
        return [number for number, one in enumerate(self) if stat.S_ISFIFO(os.fstat(one).st_mode)]


class Ready(NamedTuple):
    """What a monitor needs for any boot, got before the boot is known."""

    #: Becomes readable when a child has ended.
    wake: int
    #: The pipe for what the program prints: the end to read, and the one for the program.
    pipe: int
    printed: int
    #: What the program reads: nothing.
    nothing: int
    #: What the body of this kind wants; None where it could not be had.
    prepared: Any
    #: Why it could not be had; else empty.
    lacking: str = ""


class Body(Protocol):
    """The programs of one boot. Its methods are called from the monitor's loop, one at a time."""

    @property
    def is_frozen(self) -> bool:
        """Whether the boot is frozen now."""
        ...

    @property
    def terminal(self) -> int | None:
        """The terminal of the main program, where it has one: what it prints is read there."""
        ...

    def start(self, request: Message, streams: Streams, record: Record) -> Sequence[int]:
        """Start the programs and return their pids, the main one first: children of ours.

        Raises:
            NotStarted, OSError: it cannot be done; nothing is left running.
        """
        ...

    def command(self, request: Message) -> Command:
        """Start a command beside the programs.

        Raises:
            NotStarted, OSError: it cannot be; nothing is left.
        """
        ...

    def console(self, request: Message) -> Console:
        """Start a command beside the programs that has a terminal.

        Raises:
            NotStarted, OSError: it cannot be; nothing is left.
        """
        ...

    def signal(self, signum: int, *, everyone: bool) -> None:
        """Send a signal to the main program, or to every process. Those that are gone are fine."""
        ...

    def freeze(self) -> None:
        """Return when no process of the boot runs any more. Repeating is safe.

        Raises:
            NotFrozen: one of them cannot be stopped.
        """
        ...

    def thaw(self) -> None:
        """Let every process go on that was stopped by `freeze`. Repeating is safe."""
        ...

    def ps(self) -> list[dict[str, Any]]:
        """Return what `ps` shows of the processes."""
        ...

    def answer(self, request: Message) -> Message:
        """Answer a question that only this kind of body knows; `error` says why not."""
        ...

    def end(self, reaped: Reaped) -> None:
        """Kill whatever is left once a program has ended, and return when all of it is dead."""
        ...

    def facts(self, exit_code: int) -> dict[str, Any]:
        """Return what else there is to say about the end, by the names of `Exit`."""
        ...


class Kind(Protocol):
    """A kind of body: what is known before the boot is."""

    #: How many monitors are kept ready.
    spares: int
    #: What its bodies answer beside what every monitor can be asked.
    questions: Sequence[str]
    #: The descriptors that a monitor keeps from one boot to the next.
    kept: Sequence[int]

    def prepare(self, streams: Streams) -> Any:
        """Do ahead of need what a body will want. Called in the process that has it.

        Args:
            streams: What the standard streams of its programs will be.
        """
        ...

    def discard(self, prepared: Any) -> None:
        """Undo that, whatever a boot has left of it; None where nothing is prepared.

        The last that its process does.
        """
        ...

    def renew(self, prepared: Any) -> bool:
        """Give up what a boot that ended has left of it, but for descriptors and memory.

        Returns:
            Whether this process is now as before `prepare`, which may be called again then. Else
            it ends.
        """
        ...

    def body(self, folder: BootFolder, prepared: Any) -> Body:
        """Return the body of a boot that is about to be started."""
        ...

    def visit(self, request: Message, link: socket.socket, ready: Ready) -> None:
        """Do something that is no boot, and tell of it through the link: `started` or `failed`,
        then `data`, and `done` at last. It is over when the link breaks.
        """
        ...

    def end_leftovers(self, folder: BootFolder, record: dict[str, Any]) -> None:
        """Kill all that is left of a boot whose monitor was killed, and return when it is dead.

        Args:
            record: What the boot's lock says of its program: pid, start, host.
        """
        ...
