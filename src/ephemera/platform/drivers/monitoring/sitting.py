"""The consoles of a monitor: who sits at which, and what passes between them.

A server that reads slowly is not read for: what a command prints waits in its terminal, and so
does the command. Standard library only.
"""

from __future__ import annotations

import selectors
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import NamedTuple, Protocol

from ephemera.platform.drivers.monitoring.beside import how_it_ended
from ephemera.platform.drivers.monitoring.consoles import Console
from ephemera.platform.drivers.monitoring.frames import Message
from ephemera.platform.drivers.monitoring.peer import Peer


class _On(Protocol):
    """Watches a descriptor."""

    def __call__(self, fd: int, call: Callable[[], None], events: int = ..., /) -> None:
        """Have something called when a descriptor is ready."""


class Ties(NamedTuple):
    """What ties those who work beside a monitor's program to the monitor."""

    #: Watch a descriptor, and do so no more.
    on: _On
    off: Callable[[int], None]
    #: Says something to a server that is attached.
    say: Callable[[Peer, Message], None]


class Consoles:
    """The consoles that are open."""

    def __init__(self, ties: Ties) -> None:
        self._on, self._off, self._say = ties
        self._open: dict[int, tuple[Console, Peer]] = {}

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._open)

    def add(self, peer: Peer, console: Console) -> None:
        """Have a server sit at a console."""
        self._open[console.pid] = console, peer
        self._watch(console, peer)

    def hear(self, peer: Peer, message: Message) -> None:
        """Do what a server asks with its console; one that has ended is fine."""
        console = next(
            (one for one, by in self._open.values() if by is peer and one.id == message["id"]), None
        )
        if console is None:
            return
        if message["do"] == "type":
            console.type(message["data"])
            self._watch(console, peer)
        elif message["do"] == "resize":
            console.resize(message["rows"], message["columns"])
        else:
            console.hang_up()

    def caught_up(self, peer: Peer) -> None:
        """Go on reading for a server that has read what it was told."""
        for console, by in self._open.values():
            if by is peer:
                self._watch(console, peer)

    def leave(self, peer: Peer) -> None:
        """Hang up what a server sat at that is gone."""
        for console, by in self._open.values():
            if by is peer:
                console.hang_up()

    def reaped(self, pid: int, status: int) -> None:
        """Tell how a command ended, if it is one."""
        if pid not in self._open:
            return
        console, peer = self._open.pop(pid)
        self._off(console.terminal)
        rest = console.rest()
        console.close()
        if rest:
            self._say(peer, console.said(rest))
        exit_code, exit_signal = how_it_ended(status)
        done = {"say": "done", "id": console.id, "exit_code": exit_code}
        self._say(peer, {**done, "exit_signal": exit_signal})

    def end(self) -> None:
        """Hang up all of them."""
        for console, _ in self._open.values():
            console.hang_up()

    def _watch(self, console: Console, peer: Peer) -> None:
        """Wait for what the command prints while the server reads it, and for room to type."""
        events = 0 if peer.is_behind else selectors.EVENT_READ
        if console.is_behind:
            events |= selectors.EVENT_WRITE
        self._off(console.terminal)
        if events:
            self._on(console.terminal, partial(self._ready, console, peer), events)

    def _ready(self, console: Console, peer: Peer) -> None:
        console.flush()
        with suppress(BlockingIOError):
            if not peer.is_behind:
                data = console.read()
                if not data:
                    self._off(console.terminal)
                    return
                self._say(peer, console.said(data))
        self._watch(console, peer)
