"""One request that came by HTTP/2, and how its answer is written."""

from __future__ import annotations

import asyncio
from typing import Protocol

from ephemera.platform.proxy.streams import Client, Disconnected, End, Headers, Pipe, RequestHead

#: An answer waits for the client when more than this is to be sent.
_UNSENT_BYTES = 64 * 1024


class Wire(Protocol):
    """The connection, which knows how much a stream may send when."""

    def begin(self, number: int, headers: Headers, *, end: bool) -> None:
        """Send a head."""
        ...

    def room(self, number: int) -> int:
        """Return how many bytes may be sent now."""
        ...

    def data(self, number: int, data: bytes) -> None:
        """Send bytes, no more than there is room for."""
        ...

    def end(self, number: int, trailers: Headers) -> None:
        """End an answer."""
        ...

    def reset(self, number: int) -> None:
        """Break an answer off."""
        ...

    async def drain(self) -> None:
        """Wait while the client is slow to read from the connection as a whole."""
        ...


class Stream:
    """A request and the way back: a `streams.Stream`."""

    def __init__(
        self, wire: Wire, number: int, head: RequestHead, body: Pipe, client: Client
    ) -> None:
        self.head = head
        self.body = body
        self.client = client
        self.number = number
        #: The task that answers it.
        self.task: asyncio.Task[None] | None = None
        self._wire = wire
        self._started = False
        self._unsent = bytearray()
        self._trailers: Headers | None = None
        self._ended = False
        self._waiter: asyncio.Future[None] | None = None

    @property
    def started(self) -> bool:
        """Whether the client was sent the head of the answer."""
        return self._started

    def inform(self, status: int, headers: Headers) -> None:
        """Send an answer before the answer."""
        self._wire.begin(self.number, [(b":status", b"%d" % status), *headers], end=False)

    def start(self, status: int, headers: Headers, length: int | None, *, body: bool) -> None:
        """Begin the answer."""
        self._started = True
        said: Headers = [(b":status", b"%d" % status), *headers]
        if length is not None and status != 204:
            said.append((b"content-length", b"%d" % length))
        self._ended = not body
        self._wire.begin(self.number, said, end=not body)

    def flush(self) -> None:
        """Nothing waits: heads are sent at once."""

    def write(self, chunk: bytes) -> None:
        """Send bytes of the body, as soon as there is room for them."""
        self._unsent += chunk
        self.go_on()

    async def drain(self) -> None:
        """Wait while the client is slow.

        Raises:
            Disconnected: it wants no more.
        """
        while len(self._unsent) > _UNSENT_BYTES:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        await self._wire.drain()

    def finish(self, trailers: Headers) -> None:
        """End the answer, when all of it was sent."""
        self._trailers = trailers
        self.go_on()

    def abort(self) -> None:
        """Let the client see that the answer is not whole."""
        if not self._ended:
            self._ended = True
            self._unsent.clear()
            self._wire.reset(self.number)

    def switch(self, headers: Headers, far: End) -> End:
        """There is no such thing in HTTP/2."""
        raise NotImplementedError("HTTP/2 has no 101")

    def go_on(self) -> None:
        """Send what there is room for."""
        while self._unsent and not self._ended:
            room = self._wire.room(self.number)
            if room <= 0:
                break
            self._wire.data(self.number, bytes(self._unsent[:room]))
            del self._unsent[:room]
        if len(self._unsent) <= _UNSENT_BYTES and self._waiter:
            if not self._waiter.done():
                self._waiter.set_result(None)
            self._waiter = None
        if self._trailers is not None and not self._unsent and not self._ended:
            self._ended = True
            self._wire.end(self.number, self._trailers)

    @property
    def answering(self) -> bool:
        """Whether its answer is still being made."""
        return self.task is not None and not self.task.done()

    @property
    def done(self) -> bool:
        """Whether all of the answer was handed over."""
        return self._ended

    def lose(self) -> None:
        """Note that the client wants no more of it."""
        self._ended = True
        self._unsent.clear()
        self.body.fail(Disconnected())
        if self.task:
            self.task.cancel()
