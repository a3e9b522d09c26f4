"""The server's end of a terminal in a machine: a link of its own to the machine's monitor.

A link for each, so that one whose reader is slow holds up nobody: it is not read from, so the
monitor stops reading the terminal, and the command waits. Closing the link hangs up.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from typing import Any

from ephemera.errors import BootFailed
from ephemera.platform.drivers.monitoring.frames import Message
from ephemera.platform.drivers.monitoring.link import Link

#: What is kept for a slow reader. Above the first it is not read for, below the second again.
_KEPT_BYTES_MAX, _KEPT_BYTES_LOW = 256 * 1024, 64 * 1024


class StreamLink(Link):
    """A link through which one stream of bytes comes: of a terminal, or an archive."""

    def __init__(self, printed: Callable[[], None]) -> None:
        super().__init__(printed)
        self._kept = bytearray()
        self._grown = asyncio.Event()
        self._is_paused = False
        #: Set when anything of the stream has come, be it empty, or its end.
        self.heard = asyncio.Event()
        #: The message that was the last of the stream; None where the link broke before.
        self.done: asyncio.Future[Message | None] = asyncio.get_running_loop().create_future()

    def send(self, request: Message) -> None:
        """Say something that has no answer of its own.

        Raises:
            LinkLost: nobody is there.
        """
        self._send(request)

    async def read(self) -> bytes:
        """Return what came next; empty at the end of the stream."""
        while not self._kept and not self.done.done():
            self._grown.clear()
            await self._grown.wait()
        data = bytes(self._kept)
        self._kept.clear()
        if self._is_paused and self._transport is not None:
            self._is_paused = False
            self._transport.resume_reading()
        return data

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio."""
        super().connection_lost(exc)
        self._finish(None)

    def _hear(self, message: Message) -> None:
        if message["say"] == "data":
            self.heard.set()
            self._keep(base64.b64decode(message["data"]))
        elif message["say"] == "done":
            self._finish(message)
        else:
            super()._hear(message)

    def _keep(self, data: bytes) -> None:
        self._kept += data
        self._grown.set()
        if len(self._kept) > _KEPT_BYTES_MAX and self._transport is not None:
            self._is_paused = True
            self._transport.pause_reading()

    def _finish(self, message: Message | None) -> None:
        if not self.done.done():
            self.done.set_result(message)
        self.heard.set()
        self._grown.set()


class MonitorTerminal:
    """A terminal in a machine.

    Args:
        link: Through which nothing else comes.
    """

    def __init__(self, link: StreamLink) -> None:
        self._link = link

    def when_over(self, call: Callable[[], object]) -> None:
        """Have something called once the command has ended, or the link broke."""
        self._link.done.add_done_callback(lambda _: call())

    async def read(self) -> bytes:
        """Return what was printed next; empty once the command has ended and all is read."""
        return await self._link.read()

    def write(self, data: bytes) -> None:
        """Type something."""
        self._tell("type", data=base64.b64encode(data).decode())

    def resize(self, rows: int, columns: int) -> None:
        """Tell it how large the other terminal is now."""
        self._tell("resize", rows=rows, columns=columns)

    async def wait(self) -> int:
        """Return the exit code of the command; -1 where nobody saw the end."""
        done = await asyncio.shield(self._link.done)
        return done["exit_code"] if done else -1

    async def close(self) -> None:
        """Hang up. Repeating is safe."""
        self._link.close()

    def _tell(self, what: str, **more: Any) -> None:
        if self._link.is_open and not self._link.done.done():
            self._link.send({"do": what, "id": 0, **more})


async def opened(link: StreamLink) -> MonitorTerminal:
    """Return the terminal of a link through which one was asked for, once it is there.

    Raises:
        BootFailed: the command could not be started.
    """
    # the first that comes is empty data, or an end that says why
    await link.heard.wait()
    done = link.done.result() if link.done.done() else {}
    if done is None or "error" in done:  # else it has ended already, which a quick one may have
        link.close()
        raise BootFailed(done["error"] if done else "the machine has ended")
    return MonitorTerminal(link)
