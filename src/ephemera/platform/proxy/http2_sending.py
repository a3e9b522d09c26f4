"""What is sent to a client that speaks HTTP/2: `h2` says what, and its windows how much."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import h2.connection
import h2.errors
import h2.exceptions

from ephemera.platform.proxy.streams import Headers
from ephemera.platform.proxy.writing import Writing

_FRAME_BYTES = 16 * 1024


class Sending:
    """The way out of one connection: the `Wire` of its streams."""

    def __init__(self, connection: h2.connection.H2Connection) -> None:
        self._h2 = connection
        self._loop = asyncio.get_running_loop()
        #: Where it goes; None before the client is there.
        self.transport: asyncio.Transport | None = None
        self._writing = Writing()
        self._will_flush = False

    # of a stream

    def begin(self, number: int, headers: Headers, *, end: bool) -> None:
        """Send a head."""
        try:
            self._h2.send_headers(number, headers, end_stream=end)
        except h2.exceptions.ProtocolError:  # it is closed, or HTTP/2 has no such headers
            self.reset(number)
        self.flush_soon()

    def room(self, number: int) -> int:
        """Return how many bytes may be sent now."""
        room = 0
        if not self._writing.is_paused:
            with self._unless_closed():
                room = self._h2.local_flow_control_window(number)
        return min(room, _FRAME_BYTES)

    def data(self, number: int, data: bytes) -> None:
        """Send bytes."""
        with self._unless_closed():
            self._h2.send_data(number, data)

    def end(self, number: int, trailers: Headers) -> None:
        """End an answer."""
        with self._unless_closed():
            if trailers:
                self._h2.send_headers(number, trailers, end_stream=True)
            else:
                self._h2.end_stream(number)

    def reset(
        self, number: int, code: h2.errors.ErrorCodes = h2.errors.ErrorCodes.INTERNAL_ERROR
    ) -> None:
        """Break a stream off."""
        with self._unless_closed():
            self._h2.reset_stream(number, code)

    def acknowledge(self, count: int, number: int) -> None:
        """Let the client send as much more as was read."""
        if count:
            with self._unless_closed():
                self._h2.acknowledge_received_data(count, number)

    @contextmanager
    def _unless_closed(self) -> Iterator[None]:
        """Do something to a stream, or nothing where the client has closed it meanwhile."""
        with suppress(h2.exceptions.ProtocolError):
            yield
        self.flush_soon()

    # of all streams

    async def drain(self) -> None:
        """Wait while the client is slow."""
        await self._writing.drain()

    def pause(self) -> None:
        """Send no bodies: the client does not read."""
        self._writing.pause()

    def resume(self) -> None:
        """Send bodies again. Repeating is safe."""
        self._writing.resume()

    def flush_soon(self) -> None:
        """Send what h2 has to send, once for all that happens in this turn of the loop."""
        if not self._will_flush:
            self._will_flush = True
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """Send what h2 has to send."""
        self._will_flush = False
        data = self._h2.data_to_send()
        if data and self.transport and not self.transport.is_closing():
            self.transport.write(data)
