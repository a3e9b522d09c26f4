"""The programs of one boot as processes of this computer, beside files in a folder of their own.

Standard library only.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from ephemera.platform.drivers.monitoring import ending, frames, kernel, program, usage
from ephemera.platform.drivers.monitoring.beside import Command
from ephemera.platform.drivers.monitoring.body import Ready, Record, Streams
from ephemera.platform.drivers.monitoring.consoles import Console
from ephemera.platform.drivers.monitoring.ending import Reaped
from ephemera.platform.drivers.monitoring.folder import BootFolder, make_folder
from ephemera.platform.drivers.monitoring.frames import Message
from ephemera.platform.drivers.process import guest_files
from ephemera.platform.drivers.process.freezing import Freezer


class ProcessKind:
    """Bodies that need nothing ahead, and leave processes with a marked environment."""

    spares = 1
    questions: Sequence[str] = ()
    kept: Sequence[int] = ()

    def prepare(self, streams: Streams) -> None:
        """There is nothing to prepare."""

    def discard(self, prepared: Any) -> None:
        """There is nothing to undo."""

    def renew(self, prepared: Any) -> bool:  # noqa: ARG002
        """There is nothing to give up."""
        return True

    def body(self, folder: BootFolder, prepared: Any) -> ProcessBody:  # noqa: ARG002
        """Return the body of a boot that is about to be started."""
        return ProcessBody(folder)

    def visit(self, request: Message, link: socket.socket, ready: Ready) -> None:  # noqa: ARG002
        """Know nothing else to do."""
        frames.send_last(link, {"say": "failed", "error": f"cannot do {request['what']}"})

    def end_leftovers(self, folder: BootFolder, record: dict[str, Any]) -> None:
        """Kill all that is left of a boot whose monitor was killed."""
        ending.end_leftovers(record, f"EPHEMERA_FILES={folder.files}".encode())


class _Program:
    """A program of the machine, as it is to be executed."""

    def __init__(self, where: guest_files.Places, asked: Message) -> None:
        self.command = guest_files.relocate(asked["command"], where)
        self.env = guest_files.relocate_values(asked["env"], where)


class ProcessBody:
    """The programs of one boot, which are descendants of this process."""

    #: No program has one.
    terminal: int | None = None

    def __init__(self, folder: BootFolder) -> None:
        self._folder = folder
        self._freezer = Freezer()
        self._where = guest_files.Places({}, {})
        self._env: dict[str, str] = {}
        self._workdir = ""
        self._main = 0

    @property
    def is_frozen(self) -> bool:
        """Whether the boot is frozen now."""
        return self._freezer.is_frozen

    def start(self, request: Message, streams: Streams, record: Record) -> list[int]:
        """Execute the programs, on record before and after, and return their pids.

        Raises:
            NotStarted, OSError: nothing is left running.
        """
        self._furnish(request)
        programs = [_Program(self._where, one) for one in (request, *request["beside"])]
        self._env = programs[0].env
        self._workdir = self._env.get("EPHEMERA_WORKDIR", "")
        if not self._workdir:
            self._workdir = self._folder.root
            make_folder(self._workdir)
        pids = list[int]()
        record(0)
        try:
            for one in programs:
                pids.append(program.start(one.command, one.env, self._workdir, streams))
                if len(pids) == 1:
                    record(pids[0])
        except (program.NotStarted, OSError):
            if pids:
                _undo(pids)
            raise
        self._main = pids[0]
        return pids

    def _furnish(self, request: Message) -> None:
        """Put the machine's volumes and files to their places.

        Raises:
            NotStarted: one of them cannot be there.
        """
        self._where = guest_files.places(
            (file["guest_path"] for file in request["files"]),
            (one["path"] for one in request["mounts"]),
            self._folder.files,
        )
        guest_files.mount(request["mounts"], self._where)
        guest_files.write(request["files"], self._where)

    def command(self, request: Message) -> Command:
        """Start a command beside the programs, where they are.

        Raises:
            NotStarted: it cannot be; nothing is left.
        """
        argv = guest_files.relocate(request["command"], self._where)
        return Command(
            request, lambda theirs: program.start(argv, self._env, self._workdir, theirs)
        )

    def console(self, request: Message) -> Console:
        """Have no terminals, see the driver's capabilities."""
        raise program.NotStarted(f"a process has no terminal for {request['command']}")

    def signal(self, signum: int, *, everyone: bool) -> None:
        """Send a signal to the main program, or to every process."""
        # a program that became another user's is not ours to signal: its own end is waited for
        with suppress(ProcessLookupError, PermissionError):
            if not everyone:
                os.kill(self._main, signum)
            elif kernel.LINUX:
                ending.send_signal(kernel.descendants(os.getpid()), signum)
            else:
                os.killpg(self._main, signum)

    def freeze(self) -> None:
        """Stop every process where it is.

        Raises:
            NotFrozen: one of them cannot be stopped.
        """
        self._freezer.freeze()

    def thaw(self) -> None:
        """Let every process go on that was stopped here."""
        self._freezer.thaw()

    def ps(self) -> list[dict[str, Any]]:
        """Return what `ps` shows of the processes."""
        return usage.listing(kernel.descendants(os.getpid()))

    def answer(self, request: Message) -> Message:
        """Answer nothing beyond what every monitor can be asked."""
        return {"error": f"a process has no answer to '{request['do']}'"}

    def end(self, reaped: Reaped) -> None:
        """Kill whatever is left once a program has ended, and return when all of it is dead."""
        ending.end_children(self._main, reaped)

    def facts(self, exit_code: int) -> dict[str, Any]:  # noqa: ARG002
        """There is nothing more to say than how the program ended."""
        return {}


def _undo(pids: Sequence[int]) -> None:
    """End programs that were executed, because not all of them could be."""
    for pid in pids:  # each is there, if only to be reaped, until all of them are
        os.kill(pid, signal.SIGKILL)
    ending.end_children(pids[0], lambda *_: None)
