"""Clients that speak HTTP/1.1 or 1.0: their requests, one after the other.

```
 bytes ─► httptools ─► Request, Request ... ─► one task answers them in turn ─► bytes
```

The parser may be ahead of the answers (pipelining); then nothing more is read until they have
caught up. What httptools has no limit for is limited here: how much may come before a request
can be read, and how long that may take.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from typing import cast

import httptools

from ephemera.platform.proxy.exchange import refuse
from ephemera.platform.proxy.http1_request import Request
from ephemera.platform.proxy.requests import HEAD_BYTES_MAX, HEADERS_MAX, bad, checked, too_large
from ephemera.platform.proxy.routing import ProxyRefusal
from ephemera.platform.proxy.serving import Host
from ephemera.platform.proxy.streams import (
    HIGH_BYTES,
    LOW_BYTES,
    Client,
    Disconnected,
    End,
    Headers,
    Listener,
    Pipe,
    RequestHead,
)
from ephemera.wire.ids import new_ulid

#: How many requests may wait for their turn before nothing more is read.
_AHEAD_MAX = 4
#: How much of a body is read that the app did not want, and for how long, to keep a connection.
_SKIPPED_BYTES_MAX, _SKIP_S = 1024 * 1024, 5.0
#: How long a client may take to read what is left for it when it is hung up on.
_LINGER_S = 5.0
#: Who is told not to read: pipes, the queue of requests, the far end of a tunnel.
_BODY, _QUEUE, _FAR = 1, 2, 4


class Http1(asyncio.Protocol):
    """One client's connection."""

    def __init__(self, host: Host, listener: Listener) -> None:
        self._host = host
        self._loop = asyncio.get_running_loop()
        self._client = Client("", listener)
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._headers: Headers = []
        self._arriving: Request | None = None
        self._requests: deque[Request] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._deadline = math.inf
        self._unreported = 0
        self._broken: ProxyRefusal | None = None
        self._held = 0
        self._closing = False
        self._writable: asyncio.Future[None] | None = None
        self._upgrading = False
        self._early = b""
        self._far: End | None = None

    # asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio."""
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self._client.address = str(peer[0]).partition("%")[0] if peer else ""
        if self._host.admit(self):
            self._deadline = self._loop.time() + self._client.headers_read_s
        else:
            self._fail(ProxyRefusal(503, "too many connections", retry_after_s=1))
        self._task = self._loop.create_task(self._run())

    def connection_lost(self, _: Exception | None) -> None:
        """See asyncio."""
        self._host.leave(self)
        self._client.leave()
        self.resume_writing()
        if self._arriving:
            self._arriving.body.fail(Disconnected())
        if self._far:
            self._far.close()
        if self._task:
            self._task.cancel()

    def pause_writing(self) -> None:
        """See asyncio."""
        if self._far:
            self._far.hold()
        elif self._writable is None:
            self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        """See asyncio."""
        if self._far:
            self._far.go_on()
        if self._writable and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        if self._far:
            self._far.write(data)
        elif self._upgrading:
            self._early += data
            if len(self._early) > HIGH_BYTES:
                self._hold(_QUEUE)
        elif self._broken is None:
            self._parse(data)

    # answering

    async def _run(self) -> None:
        while True:
            request = await self._next()
            self._deadline = math.inf
            if request.refusal:
                refuse(request, request.refusal, new_ulid())
            else:
                await self._host.serve(request)
            if not request.keep_alive or not request.finished or not await self._skip(request):
                break
            self._deadline = self._loop.time() + self._client.keep_alive_s
            self._go_on_parsing()
        if self._broken or not request.body.ended:
            self._linger()
        else:
            self.close()

    def _linger(self) -> None:
        """Hang up on a client that still sends.

        To close at once would throw away what it has not read of the answer, so the rest of what
        it sends is read, for a while, and dropped.
        """
        self._closing = True
        self._deadline = self._loop.time() + _LINGER_S
        self._broken = self._broken or bad("the request went on after its answer")
        for who in (_BODY, _QUEUE, _FAR):
            self._let(who)
        if self._transport and not self._transport.is_closing() and self._transport.can_write_eof():
            self._transport.write_eof()

    async def _next(self) -> Request:
        while not self._requests:
            self._let(_QUEUE)
            self._waiter = self._loop.create_future()
            await self._waiter
        return self._requests.popleft()

    async def _skip(self, request: Request) -> bool:
        """Read what is left of a body; return whether another request can follow it."""
        if request.body.ended:
            return True
        self._deadline = self._loop.time() + _SKIP_S
        skipped = 0
        try:
            while chunk := await request.body.read():
                skipped += len(chunk)
                if skipped > _SKIPPED_BYTES_MAX:
                    return False
        except (Disconnected, ProxyRefusal):
            return False
        return True

    def _go_on_parsing(self) -> None:
        """Parse what came after a request that would have liked to switch protocols."""
        if self._upgrading:
            self._upgrading = False
            early, self._early = self._early, b""
            self._parser = httptools.HttpRequestParser(self)
            self._let(_QUEUE)
            if early:
                self._parse(early)

    # too slow

    def expire(self, now: float) -> None:
        """Hang up on a client that is too slow."""
        if now < self._deadline:
            return
        self._deadline = math.inf
        if self._closing:
            self.abort()
        elif self._unreported and self._arriving is None:
            self._fail(ProxyRefusal(408, "the headers of the request did not come"))
        else:
            self.close()

    def abort(self) -> None:
        """Hang up at once."""
        if self._transport:
            self._transport.abort()

    # the near end of a tunnel

    def write(self, data: bytes) -> None:
        """Send bytes, without waiting."""
        if self._transport and not self._transport.is_closing():
            self._transport.write(data)

    async def drain(self) -> None:
        """Wait while the client is slow."""
        if self._writable:
            await asyncio.shield(self._writable)

    def switch(self, far: End) -> None:
        """From now on, pass on what the client sends."""
        self._far = far
        self._let(_QUEUE)
        if self._early:
            far.write(self._early)
            self._early = b""

    def hold(self) -> None:
        """Read nothing until `go_on`."""
        self._hold(_FAR)

    def go_on(self) -> None:
        """Read again."""
        self._let(_FAR)

    def close(self) -> None:
        """Send what is left, then hang up."""
        self._closing = True
        self._deadline = self._loop.time() + _LINGER_S
        if self._transport:
            self._transport.close()

    def _hold(self, who: int) -> None:
        if not self._held and self._transport and not self._transport.is_closing():
            self._transport.pause_reading()
        self._held |= who

    def _let(self, who: int) -> None:
        if self._held == who and self._transport and not self._transport.is_closing():
            self._transport.resume_reading()
        self._held &= ~who

    # parsing

    def _parse(self, data: bytes) -> None:
        self._unreported += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._upgrading = True
            self._early = data[upgrade.args[0] :]
        except httptools.HttpParserError as error:
            self._fail(self._broken or bad(str(error).lower()))
        if self._unreported > HEAD_BYTES_MAX:
            self._fail(too_large())

    def _fail(self, refusal: ProxyRefusal) -> None:
        """Refuse what arrives, and all that would follow."""
        if self._broken and self._arriving is None and self._requests:
            return
        self._broken = refusal
        if self._arriving:
            self._arriving.keep_alive = False
            self._arriving.body.fail(refusal)
            return
        head = RequestHead(b"GET", b"/", b"", [], "1.1")
        body = Pipe()
        body.end()
        self._queue(Request(self, head, body, self._client, keep_alive=False, refusal=refusal))

    def _queue(self, request: Request) -> None:
        self._requests.append(request)
        if len(self._requests) > _AHEAD_MAX:
            self._hold(_QUEUE)
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)
        self._waiter = None

    def on_message_begin(self) -> None:
        """Begin to read a request."""
        self._url = b""
        self._headers = []
        if self._deadline != math.inf:
            self._deadline = self._loop.time() + self._client.headers_read_s

    def on_url(self, url: bytes) -> None:
        """Take the target, or a piece of it."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, or a trailer."""
        into = self._arriving.body.trailers if self._arriving else self._headers
        into.append((name.lower(), value))
        if len(name) + len(value) > HEAD_BYTES_MAX or len(into) > HEADERS_MAX:
            self._broken = too_large()
            raise self._broken

    def on_headers_complete(self) -> None:
        """Take the head as a whole."""
        self._unreported = 0
        parser = self._parser
        try:
            head = checked(parser.get_method(), self._url, self._headers, parser.get_http_version())
        except ProxyRefusal as refusal:
            self._broken = refusal
            raise
        body = Pipe(self._took, self._fed)
        request = Request(self, head, body, self._client, keep_alive=parser.should_keep_alive())
        self._arriving = request
        self._queue(request)

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._unreported = 0
        if self._arriving:
            self._arriving.body.feed(body)

    def on_chunk_header(self) -> None:
        """Note that it goes on."""
        self._unreported = 0

    def on_message_complete(self) -> None:
        """Note that the request is whole."""
        self._unreported = 0
        if self._arriving:
            self._arriving.body.end()
            self._arriving = None

    def _fed(self, size: int) -> None:
        if size > HIGH_BYTES:
            self._hold(_BODY)

    def _took(self, _: int, left: int) -> None:
        if left < LOW_BYTES:
            self._let(_BODY)
