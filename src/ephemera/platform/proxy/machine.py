"""One connection to a machine: requests go out on it, one after the other, and answers come back.

```
 connected ─► ask ─► next_head (1xx ...) ─► next_head ─► body ─► reusable ─► ask ...
                                               │ 101
                                               └─► tunnel
```

Answers are parsed by httptools, strictly: an answer that could be read in two ways is none.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import cast

import httptools

from ephemera.platform.proxy.answers import AnswerHead, MachineLost, framing
from ephemera.platform.proxy.streams import HIGH_BYTES, LOW_BYTES, Disconnected, End, Headers, Pipe
from ephemera.platform.proxy.writing import Writing

#: Of an answer before its body, or of what follows it.
_HEAD_BYTES_MAX = 256 * 1024
#: How many 1xx may wait to be passed on before nothing more is read.
_HEADS_AHEAD_MAX = 8


class MachineConnection(asyncio.Protocol):
    """Speaks HTTP/1.1 with the program in a machine."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        #: Done when the connection is no more.
        self.closed: asyncio.Future[None] = loop.create_future()
        #: When it was last given back, by the loop's clock.
        self.idle_since = loop.time()
        #: How many requests it has carried, with the one that is under way.
        self.carried = 0
        self.body = Pipe()
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._headers: Headers = []
        self._heads: deque[AnswerHead] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._lost: MachineLost | None = None
        self._bodiless = False
        self._in_body = False
        self._until_close = False
        self._answered = True
        self._reading = True
        self._unreported = 0
        self._writing = Writing()
        self._near: End | None = None
        self._upgraded = False
        self._early = b""

    # for the exchange

    @property
    def reusable(self) -> bool:
        """Whether another request may be sent on it."""
        return (
            self._answered
            and self._lost is None
            and self._near is None
            and self._transport is not None
            and not self._transport.is_closing()
        )

    def ask(self, head: bytes, *, bodiless: bool) -> None:
        """Send the head of a request.

        Args:
            bodiless: Whether the answer has no body whatever it says: to HEAD.
        """
        self.carried += 1
        self.body = Pipe(self._took, self._fed)
        self._parser = httptools.HttpResponseParser(self)
        self._bodiless = bodiless
        self._in_body = self._until_close = self._answered = False
        self._unreported = 0
        self._heads.clear()
        self.write(head)

    def write(self, data: bytes) -> None:
        """Send bytes, without waiting."""
        if self._transport and not self._transport.is_closing():
            self._transport.write(data)

    async def drain(self) -> None:
        """Wait until the machine has read most of what was sent."""
        await self._writing.drain()

    async def next_head(self) -> AnswerHead:
        """Return the next head: any number of 1xx, then one that is not.

        Raises:
            MachineLost: there will be none.
        """
        while not self._heads:
            if self._lost:
                raise self._lost
            self._waiter = self._loop.create_future()
            await self._waiter
        head = self._heads.popleft()
        if not self._heads:
            self.go_on()
        return head

    def tunnel(self, near: End) -> None:
        """Pass on all that comes from now on as it is."""
        self._near = near
        if self._early:
            near.write(self._early)
            self._early = b""
        if self.closed.done():
            near.close()

    def abort(self) -> None:
        """Hang up at once. Repeating is safe."""
        if self._transport:
            self._transport.abort()

    # the far end of a tunnel

    def hold(self) -> None:
        """Read nothing until `go_on`."""
        if self._reading and self._transport:
            self._reading = False
            self._transport.pause_reading()

    def go_on(self) -> None:
        """Read again."""
        if not self._reading and self._transport and not self._transport.is_closing():
            self._reading = True
            self._transport.resume_reading()

    def close(self) -> None:
        """Send what is left, then hang up."""
        if self._transport:
            self._transport.close()

    # asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        """See asyncio."""
        self._end_of_input()
        if not self.closed.done():
            self.closed.set_result(None)
        self.resume_writing()
        if self._near:
            self._near.close()

    def eof_received(self) -> None:
        """See asyncio. None: hang up, too."""
        self._end_of_input()

    def pause_writing(self) -> None:
        """See asyncio."""
        self._writing.pause(self._near)

    def resume_writing(self) -> None:
        """See asyncio."""
        self._writing.resume(self._near)

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        if self._near:
            self._near.write(data)
            return
        if self._upgraded:
            self._early += data
            return
        if self._answered:  # nobody asked
            self._lose(MachineLost("the app sent more than its answer"))
            return
        self._unreported += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._upgraded = True
            self._early = data[upgrade.args[0] :]
        except httptools.HttpParserError as error:
            if not self._answered:  # else it is the body of an answer that may have none
                self._lose(MachineLost(f"the app's answer is not HTTP: {error}"))
            else:
                self.abort()
        if self._unreported > _HEAD_BYTES_MAX:
            self._lose(MachineLost(f"the app's answer has a head of over {_HEAD_BYTES_MAX} bytes"))

    # httptools

    def on_message_begin(self) -> None:
        """Begin to read an answer."""
        self._headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, or a trailer."""
        into = self.body.trailers if self._in_body else self._headers
        into.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Take the head as a whole."""
        if self._answered:
            raise MachineLost("the app sent more than its answer")
        status = self._parser.get_status_code()
        if status < 100:
            raise MachineLost(f"the app's answer has the status {status}")
        length, chunked = framing(self._headers)
        head = AnswerHead(status, self._headers, self._parser.get_http_version(), length)
        self._heads.append(head)
        if len(self._heads) > _HEADS_AHEAD_MAX:
            self.hold()
        self._unreported = 0
        if status >= 200:
            self._in_body = True
            if self._bodiless or status in (204, 304):
                self._finish(keep=b"close" not in head.get(b"connection").lower())
            else:
                self._until_close = length is None and not chunked
        self._wake()

    def on_body(self, data: bytes) -> None:
        """Take a piece of the body."""
        self._unreported = 0
        if not self._answered:
            self.body.feed(data)

    def on_chunk_header(self) -> None:
        """Note that it goes on."""
        self._unreported = 0

    def on_message_complete(self) -> None:
        """End an answer, unless it was one before the answer."""
        if self._in_body and not self._answered:
            self._finish(keep=self._parser.should_keep_alive())

    def _finish(self, *, keep: bool) -> None:
        self._answered = True
        self.body.end()
        if not keep and self._transport:
            self._transport.close()

    def _end_of_input(self) -> None:
        if self._in_body and self._until_close and not self._answered:
            self._answered = True
            self.body.end()
        untouched = not (self._in_body or self._heads or self._unreported)
        self._lose(MachineLost("the app hung up before its answer was whole", untouched=untouched))

    def _lose(self, lost: MachineLost) -> None:
        if self._lost is None:
            self._lost = lost
            self.body.fail(Disconnected(lost.message))
            self._wake()
            self.abort()

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)
        self._waiter = None

    def _fed(self, size: int) -> None:
        if size > HIGH_BYTES:
            self.hold()

    def _took(self, _: int, left: int) -> None:
        if left < LOW_BYTES:
            self.go_on()
