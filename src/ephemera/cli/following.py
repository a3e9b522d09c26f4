"""A machine from its creation to its end, with its lines shown as they come."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Sequence

from ephemera.cli.screen import note, say
from ephemera.client import AsyncClient
from ephemera.wire.models import LogEntry

#: How long the server may hold a request for lines while there are none.
_HELD_S = 20
#: Between requests for lines to a server that does not hold them, as Fly.io's does not.
_PAUSE_S = 1.0

#: States in which the program of a machine runs no more, and is not started again by itself.
OVER = ("stopped", "failed", "destroyed")
#: And those in which it is known whether it could be started.
BOOTED = ("started", *OVER)

Show = Callable[[LogEntry], None]


def show_apart(entry: LogEntry) -> None:
    """Write what the program printed to stdout, and what is said about it to stderr."""
    if entry.provider == "app":
        say(entry.message)
    else:
        note(entry.message)


def show_aside(entry: LogEntry) -> None:
    """Write all lines to stderr."""
    note(entry.message)


def show_remarks(entry: LogEntry) -> None:
    """Write what is said about the program to stderr, and nothing of what it prints."""
    if entry.provider != "app":
        note(entry.message)


async def follow(
    client: AsyncClient, app: str, machine: str, states: Sequence[str], show: Show
) -> str:
    """Show the lines of a machine until it is in one of the states, and return which.

    All that it has printed by then is shown.
    """
    waiting = asyncio.ensure_future(client.machines.wait(app, machine, states, timeout=math.inf))
    showing = asyncio.ensure_future(_show_on(lines := _Lines(client, app, machine, show)))
    try:
        await asyncio.wait([waiting, showing], return_when=asyncio.FIRST_COMPLETED)
        if showing.done():
            showing.result()  # it never ends but by an error
        # Fly.io's documentation has an answer that does not say which
        state = (await waiting).state or (await client.machines.get(app, machine)).state
    finally:
        waiting.cancel()
        showing.cancel()
        await asyncio.wait([waiting, showing])
    while await lines.next(0):
        pass
    return state


async def _show_on(lines: _Lines) -> None:
    while True:
        began = time.monotonic()
        if not await lines.next(_HELD_S) and time.monotonic() - began < _PAUSE_S:
            await asyncio.sleep(_PAUSE_S)


class _Lines:
    """The log of one machine, read on from where it was."""

    def __init__(self, client: AsyncClient, app: str, machine: str, show: Show) -> None:
        self._client = client
        self._app = app
        self._machine = machine
        self._show = show
        self._token = ""

    async def next(self, wait: int) -> int:
        """Show what is there, or what comes within `wait` seconds; return how many lines."""
        page = await self._client.logs.page(
            self._app, machine=self._machine, next_token=self._token or None, wait=wait
        )
        self._token = page.next_token or self._token
        for entry in page.entries:
            self._show(entry)
        return len(page.entries)
