"""One request that came by HTTP/1, and how its answer is written."""

from __future__ import annotations

import http
from typing import Protocol

from ephemera.platform.proxy.headers import lines
from ephemera.platform.proxy.routing import ProxyRefusal
from ephemera.platform.proxy.streams import Client, End, Headers, Pipe, RequestHead

_STATUS_LINES = {
    status.value: b"HTTP/1.1 %d %b\r\n" % (status, status.phrase.encode())
    for status in http.HTTPStatus
}


class Wire(End, Protocol):
    """The connection that a request came by."""

    async def drain(self) -> None:
        """Wait while the client is slow."""
        ...

    def abort(self) -> None:
        """Hang up at once."""
        ...

    def switch(self, far: End) -> None:
        """From now on, pass on what the client sends."""
        ...


class Request:
    """A request and the way back: a `Stream`.

    Args:
        refusal: Why it is no request; it is answered in its turn all the same.
    """

    __slots__ = (
        "_begun",
        "_chunked",
        "_invited",
        "_pending",
        "_wire",
        "body",
        "client",
        "finished",
        "head",
        "keep_alive",
        "refusal",
    )

    def __init__(
        self,
        wire: Wire,
        head: RequestHead,
        body: Pipe,
        client: Client,
        *,
        keep_alive: bool,
        refusal: ProxyRefusal | None = None,
    ) -> None:
        self.head = head
        self.body = body
        self.client = client
        #: Whether the connection is good for another request.
        self.keep_alive = keep_alive
        self.refusal = refusal
        #: Whether it was answered to the end.
        self.finished = False
        self._wire = wire
        self._begun = False
        self._chunked = False
        self._invited = head.get(b"expect") == b""
        self._pending = b""

    @property
    def started(self) -> bool:
        """Whether the client was sent the head of the answer."""
        return self._begun

    def inform(self, status: int, headers: Headers) -> None:
        """Send an answer before the answer."""
        if self.head.version == "1.0":
            return
        if status == 100:
            self._invited = True
        self._wire.write(_status_line(status) + lines(headers) + b"\r\n")

    def start(self, status: int, headers: Headers, length: int | None, *, body: bool) -> None:
        """Begin the answer."""
        self._begun = True
        framing: Headers = []
        if length is not None and status != 204:
            framing.append((b"content-length", b"%d" % length))
        elif body and self.head.version != "1.0":
            self._chunked = True
            framing.append((b"transfer-encoding", b"chunked"))
        elif body:
            self.keep_alive = False  # where it ends is told by hanging up
        if not self._invited and not self.body.ended:
            self.keep_alive = False  # whether the body still comes, nobody knows
        if not self.keep_alive:
            framing.append((b"connection", b"close"))
        elif self.head.version == "1.0":
            framing.append((b"connection", b"keep-alive"))
        self._pending = _status_line(status) + lines(headers) + lines(framing) + b"\r\n"

    def flush(self) -> None:
        """Send what was begun."""
        if self._pending:
            self._wire.write(self._pending)
            self._pending = b""

    def write(self, chunk: bytes) -> None:
        """Send bytes of the body."""
        if self._chunked and chunk:
            chunk = b"%x\r\n%b\r\n" % (len(chunk), chunk)
        if self._pending:
            chunk = self._pending + chunk
            self._pending = b""
        self._wire.write(chunk)

    async def drain(self) -> None:
        """Wait while the client is slow."""
        await self._wire.drain()

    def finish(self, trailers: Headers) -> None:
        """End the answer."""
        if self._chunked:
            self._wire.write(self._pending + b"0\r\n" + lines(trailers) + b"\r\n")
            self._pending = b""
        else:
            self.flush()
        self.finished = True

    def abort(self) -> None:
        """Let the client see that the answer is not whole."""
        self.keep_alive = False
        if self._begun and (self._chunked or self.head.version != "1.0"):
            self._wire.close()  # what was sent is read, and seen not to be all
        else:
            self._wire.abort()

    def switch(self, headers: Headers, far: End) -> End:
        """Answer 101, and pass on what the client sends from then on."""
        self._begun = True
        self.keep_alive = False
        self._wire.write(_status_line(101) + lines(headers) + b"\r\n")
        self._wire.switch(far)
        return self._wire


def _status_line(status: int) -> bytes:
    return _STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status
