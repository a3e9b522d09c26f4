"""What a client's request looks like to the rest of the proxy, whatever version of HTTP it came by.

```
 socket ─► Pipe ─► exchange ─► the machine         a Pipe holds a little and then stops the socket,
 socket ◄─ write ◄─ exchange ◄─ the machine        `drain` waits while the client is slow
```
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from ephemera.platform.proxy.connection_seats import ConnectionSeats
from ephemera.platform.proxy.routing import ProxyRefusal

#: Names in lower case, in the order in which they came.
Headers = list[tuple[bytes, bytes]]

#: How long a client may take for the headers of a request, and nothing between two requests,
#: unless the port of the app says otherwise.
HEADERS_READ_S, KEEP_ALIVE_S = 30.0, 60.0
#: A pipe stops its source when it holds more than the first, and lets it go on below the second.
HIGH_BYTES, LOW_BYTES = 256 * 1024, 64 * 1024


class Disconnected(Exception):
    """Whoever fills a pipe has gone before its end."""


@dataclass(frozen=True, slots=True)
class Listener:
    """Where clients come in.

    Attributes:
        port: The external port that services know: 80, 443, or another.
        tls: Whether TLS ends here.
        public_port: The port that clients really connect to.
        authority: What all requests are for that come in here, in the place of what they say;
            empty where they are asked.
        is_inside: Whether machines come in here. They have no TLS port, and are sent to none.
    """

    port: int
    tls: bool
    public_port: int
    authority: str = ""
    is_inside: bool = False


@dataclass(slots=True)
class RequestHead:
    """The first part of a request, checked: see `requests.py`."""

    method: bytes
    #: The path with its query, or `*`.
    target: bytes
    #: As the client sent it, in lower case, with the port if it named one.
    authority: bytes
    #: Without `host` and what frames the body.
    headers: Headers
    #: `1.0`, `1.1` or `2`.
    version: str
    #: Bytes of the body; None where only its end will tell.
    length: int | None = 0
    #: What the client would like to speak from here on, for example `websocket`.
    upgrade: bytes = b""

    def get(self, name: bytes) -> bytes:
        """Return the values of a header, joined by commas; empty if there is none."""
        return b", ".join([value for key, value in self.headers if key == name])

    @property
    def host(self) -> str:
        """The name of the authority, without the port."""
        name, colon, port = self.authority.rpartition(b":")
        has_port = colon and port.isdigit() and not name.endswith(b":")
        return (name if has_port else self.authority).decode("ascii")


class Pipe:
    """Bytes on their way from a socket to whoever reads them.

    Args:
        took: Told how many bytes were read, and how many are left.
        fed: Told how many bytes are held.
    """

    __slots__ = ("_chunks", "_ended", "_error", "_fed", "_size", "_took", "_waiter", "trailers")

    def __init__(
        self,
        took: Callable[[int, int], None] | None = None,
        fed: Callable[[int], None] | None = None,
    ) -> None:
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._ended = False
        self._error: Disconnected | ProxyRefusal | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._took = took
        self._fed = fed
        #: What followed the body; complete when it has ended.
        self.trailers: Headers = []

    @property
    def ready(self) -> bool:
        """Whether `read` will not wait."""
        return bool(self._chunks) or self._ended or self._error is not None

    @property
    def ended(self) -> bool:
        """Whether all of it has come, read or not."""
        return self._ended

    @property
    def finished(self) -> bool:
        """Whether all of it was read."""
        return self._ended and not self._chunks

    def feed(self, chunk: bytes) -> None:
        """Add bytes."""
        self._chunks.append(chunk)
        self._size += len(chunk)
        if self._fed:
            self._fed(self._size)
        self._wake()

    def end(self) -> None:
        """Say that this was all."""
        self._ended = True
        self._wake()

    def fail(self, error: Disconnected | ProxyRefusal) -> None:
        """Say that the rest will not come; what came can still be read."""
        if not self._ended:
            self._error = error
            self._wake()

    def discard(self) -> int:
        """Forget what is held, and return how much it was."""
        size, self._size = self._size, 0
        self._chunks.clear()
        if self._took and size:
            self._took(size, 0)
        return size

    def take(self) -> bytes:
        """Return the next bytes, nothing if none are held."""
        if not self._chunks:
            return b""
        chunk = self._chunks.popleft()
        self._size -= len(chunk)
        if self._took:
            self._took(len(chunk), self._size)
        return chunk

    async def read(self) -> bytes:
        """Return the next bytes, nothing at the end. A read that is cancelled loses nothing.

        Raises:
            Disconnected: the rest will not come.
            ProxyRefusal: the rest is not well-formed.
        """
        while not self._chunks:
            if self._error:
                raise self._error
            if self._ended:
                return b""
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return self.take()

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)
        self._waiter = None


@dataclass(slots=True, eq=False)
class Client:
    """One client's connection: what outlives its single requests."""

    address: str
    listener: Listener
    seats: ConnectionSeats = field(default_factory=ConnectionSeats)
    #: For its next requests; known when it has asked for an app once.
    headers_read_s: float = HEADERS_READ_S
    keep_alive_s: float = KEEP_ALIVE_S

    def leave(self) -> None:
        """Give back what was held for the connection."""
        self.seats.leave()


class End(Protocol):
    """One end of a tunnel."""

    def write(self, data: bytes) -> None:
        """Send bytes, without waiting."""
        ...

    def hold(self) -> None:
        """Read nothing until `go_on`."""
        ...

    def go_on(self) -> None:
        """Read again."""
        ...

    def close(self) -> None:
        """Send what is left, then hang up. Repeating is safe."""
        ...


class Stream(Protocol):
    """One request, and the way back to who sent it."""

    head: RequestHead
    body: Pipe
    client: Client

    @property
    def started(self) -> bool:
        """Whether the client was sent the head of the answer."""
        ...

    def inform(self, status: int, headers: Headers) -> None:
        """Send an answer before the answer: 100, 103."""
        ...

    def start(self, status: int, headers: Headers, length: int | None, *, body: bool) -> None:
        """Begin the answer. It leaves with the first bytes of the body, or at `flush`.

        Args:
            length: Bytes of the body, if they are known.
            body: Whether one follows: not after HEAD, 204 and 304.
        """
        ...

    def flush(self) -> None:
        """Send what was begun."""
        ...

    def write(self, chunk: bytes) -> None:
        """Send bytes of the body, without waiting."""
        ...

    async def drain(self) -> None:
        """Wait while the client is slow to read what was sent."""
        ...

    def finish(self, trailers: Headers) -> None:
        """End the answer."""
        ...

    def abort(self) -> None:
        """Let the client see that the answer is not whole."""
        ...

    def switch(self, headers: Headers, far: End) -> End:
        """Answer 101, and from then on pass all that the client sends to the far end.

        Raises:
            NotImplementedError: this version of HTTP has no such thing.
        """
        ...
