"""Clients that speak HTTP/1.1 or 1.0: their requests, one after the other.

```
 bytes ─► Parser ─► Request, Request ... ─► one task answers them in turn ─► bytes
```

The parser may be ahead of the answers (pipelining); then nothing more is read until they have
caught up.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from typing import cast

from ephemera.platform.proxy.exchange import refuse
from ephemera.platform.proxy.http1_parser import Parser
from ephemera.platform.proxy.http1_request import Request
from ephemera.platform.proxy.routing import ProxyRefusal
from ephemera.platform.proxy.serving import Host
from ephemera.platform.proxy.streams import HIGH_BYTES, Client, Disconnected, End, Listener
from ephemera.platform.proxy.writing import Writing
from ephemera.wire.ids import new_ulid

#: How many requests may wait for their turn before nothing more is read.
_AHEAD_MAX = 4
#: How much of a body is read that the app did not want, and for how long, to keep a connection.
_SKIPPED_BYTES_MAX, _SKIP_S = 1024 * 1024, 5.0
#: How long a client may take to read what is left for it when it is hung up on.
_LINGER_S = 5.0
#: Who wants nothing to be read: a body, the queue of requests, the far end of a tunnel.
_BODY, _QUEUE, _FAR = 1, 2, 4


class Http1(asyncio.Protocol):
    """One client's connection."""

    def __init__(self, host: Host, listener: Listener) -> None:
        self._host = host
        self._loop = asyncio.get_running_loop()
        self._client = Client("", listener)
        self._parser = Parser(self, self, self._client)
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        self._requests: deque[Request] = deque()
        #: The one that is being answered.
        self._current: Request | None = None
        #: Whether no request is taken any more, see `wind_down`.
        self._is_winding_down = False
        self._waiter: asyncio.Future[None] | None = None
        self._deadline = math.inf
        self._closing = False
        self._held = 0
        self._writing = Writing()
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
            self._parser.fail(ProxyRefusal(503, "too many connections", retry_after_s=1))
        self._task = self._loop.create_task(self._run())

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        """See asyncio."""
        self._host.leave(self)
        self._client.leave()
        self._parser.lose()
        self.resume_writing()
        if self._far:
            self._far.close()
        if self._task:
            self._task.cancel()

    def pause_writing(self) -> None:
        """See asyncio."""
        self._writing.pause(self._far)

    def resume_writing(self) -> None:
        """See asyncio."""
        self._writing.resume(self._far)

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        if self._far:
            self._far.write(data)
        elif self._closing or self._parser.is_broken:
            return  # it is read for the client to find the answer, see `_linger`
        elif self._parser.after_upgrade is None:
            self._parser.feed(data)
        else:
            self._early += data
            if len(self._early) > HIGH_BYTES:
                self._hold(_QUEUE)

    # answering

    async def _run(self) -> None:
        while True:
            self._current = None
            request = self._current = await self._next()
            self._deadline = math.inf
            if request.refusal:
                refuse(request, request.refusal, new_ulid())
            else:
                await self._host.serve(request)
            if not request.keep_alive or not request.finished or not await self._skip(request):
                break
            self._deadline = self._loop.time() + self._client.keep_alive_s
            self._go_on_parsing()
        if self._parser.is_broken or not request.body.ended:
            self._linger()
        else:
            self.close()

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
        if self._parser.after_upgrade is None:
            return
        early, self._early = self._parser.after_upgrade + self._early, b""
        self._parser = Parser(self, self, self._client)
        self._let(_QUEUE)
        if early:
            self._parser.feed(early)

    def _linger(self) -> None:
        """Hang up on a client that still sends.

        To close at once would throw away what it has not read of the answer, so the rest of what
        it sends is read, for a while, and dropped.
        """
        self._closing = True
        self._deadline = self._loop.time() + _LINGER_S
        for who in (_BODY, _QUEUE, _FAR):
            self._let(who)
        if self._transport and not self._transport.is_closing() and self._transport.can_write_eof():
            self._transport.write_eof()

    # what the parser tells

    def began(self) -> None:
        """See `Reader`."""
        if self._deadline != math.inf:
            self._deadline = self._loop.time() + self._client.headers_read_s

    def arrived(self, request: Request) -> None:
        """See `Reader`."""
        request.keep_alive &= not self._is_winding_down
        self._requests.append(request)
        if len(self._requests) > _AHEAD_MAX:
            self._hold(_QUEUE)
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)
        self._waiter = None

    def hold_body(self) -> None:
        """See `Reader`."""
        self._hold(_BODY)

    def let_body(self) -> None:
        """See `Reader`."""
        self._let(_BODY)

    # too slow

    def expire(self, now: float) -> None:
        """Hang up on a client that is too slow."""
        if now < self._deadline:
            return
        self._deadline = math.inf
        if self._closing:
            self.abort()
        elif self._parser.has_part_of_head:
            self._parser.fail(ProxyRefusal(408, "the headers of the request did not come"))
        else:
            self.close()

    def wind_down(self) -> None:
        """Answer what was asked, and then hang up. Repeating is safe."""
        self._is_winding_down = True
        if self._current:
            self._current.keep_alive = False
        elif not (self._requests or self._parser.has_part_of_head):
            self.close()

    def abort(self) -> None:
        """Hang up at once."""
        if self._transport:
            self._transport.abort()

    # where answers go, and the near end of a tunnel

    def write(self, data: bytes) -> None:
        """Send bytes, without waiting."""
        if self._transport and not self._transport.is_closing():
            self._transport.write(data)

    async def drain(self) -> None:
        """Wait while the client is slow."""
        await self._writing.drain()

    def switch(self, far: End) -> None:
        """From now on, pass on what the client sends."""
        self._far = far
        self._let(_QUEUE)
        early, self._early = (self._parser.after_upgrade or b"") + self._early, b""
        if early:
            far.write(early)

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
