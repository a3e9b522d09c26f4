"""The commands of `exec` that run beside a monitor's program: what they print, and whom to tell.

Standard library only.
"""

from __future__ import annotations

import math
import selectors
import time
from contextlib import suppress
from functools import partial

from ephemera.platform.drivers.monitoring.beside import Command
from ephemera.platform.drivers.monitoring.peer import Peer
from ephemera.platform.drivers.monitoring.sitting import Ties


class Commands:
    """The commands that run."""

    def __init__(self, ties: Ties) -> None:
        self._on, self._off, self._say = ties
        self._running: dict[int, tuple[Command, Peer]] = {}

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._running)

    @property
    def deadline(self) -> float:
        """When the next of them is out of time, by the monotonic clock; infinite for never."""
        return min((one.deadline for one, _ in self._running.values()), default=math.inf)

    def add(self, peer: Peer, command: Command) -> None:
        """Look after a command that was started for a server."""
        self._running[command.pid] = command, peer
        for pipe in command.printed:
            self._on(pipe, partial(self._printed, command, pipe))
        if command.stdin is not None:
            self._on(command.stdin, partial(self._feed, command), selectors.EVENT_WRITE)

    def reaped(self, pid: int, status: int) -> None:
        """Tell how a command ended, if it is one."""
        if pid not in self._running:
            return
        command, peer = self._running.pop(pid)
        for pipe in command.pipes():
            self._off(pipe)
        self._say(peer, command.answer(status))

    def time_out(self) -> None:
        """Kill those that are out of time."""
        now = time.monotonic()
        for command, _ in self._running.values():
            if command.deadline <= now:
                command.time_out()

    def end(self) -> None:
        """Kill all of them."""
        for command, _ in self._running.values():
            command.kill()

    def _feed(self, command: Command) -> None:
        stdin = command.stdin
        if stdin is not None and not command.feed():
            self._off(stdin)

    def _printed(self, command: Command, pipe: int) -> None:
        with suppress(BlockingIOError):
            if not command.read(pipe):
                self._off(pipe)
