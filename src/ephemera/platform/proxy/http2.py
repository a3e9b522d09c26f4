"""Clients that speak HTTP/2: many requests at once over one connection, by the library `h2`.

Frames, windows and the compression of headers are h2's. Here is what connects it with sockets,
and what a client may not do: open more requests than were agreed, or open and reset them by the
thousand ("rapid reset"), or send control frames without end.
"""

from __future__ import annotations

import asyncio
import math
from typing import cast

import h2.errors
import h2.events
import h2.exceptions

from ephemera.platform.proxy.exchange import refuse
from ephemera.platform.proxy.http2_nuisances import Nuisances
from ephemera.platform.proxy.http2_sending import Sending
from ephemera.platform.proxy.http2_settings import fresh_connection, no_more_after
from ephemera.platform.proxy.http2_stream import Stream
from ephemera.platform.proxy.requests import checked2
from ephemera.platform.proxy.routing import ProxyRefusal
from ephemera.platform.proxy.serving import Host
from ephemera.platform.proxy.streams import (
    Client,
    Listener,
    Pipe,
    RequestHead,
)
from ephemera.wire.ids import new_ulid

#: How long a client may take to read what is left for it when it is hung up on.
_LINGER_S = 5.0


class Http2(asyncio.Protocol):
    """One client's connection."""

    def __init__(self, host: Host, listener: Listener) -> None:
        self._host = host
        self._loop = asyncio.get_running_loop()
        self._client = Client("", listener)
        self._transport: asyncio.Transport | None = None
        self._streams: dict[int, Stream] = {}
        self._deadline = math.inf
        self._nuisances = Nuisances()
        self._closing = False
        #: Whether no request is taken any more, see `wind_down`.
        self._is_winding_down = False
        self._h2 = fresh_connection()
        self._sending = Sending(self._h2)

    # asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio."""
        self._transport = cast("asyncio.Transport", transport)
        self._sending.transport = self._transport
        peer = transport.get_extra_info("peername")
        self._client.address = str(peer[0]).partition("%")[0] if peer else ""
        if not self._host.admit(self):
            self._h2.close_connection(h2.errors.ErrorCodes.ENHANCE_YOUR_CALM)
            self._hang_up()
            return
        self._sending.flush()
        self._deadline = self._loop.time() + self._client.headers_read_s

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        """See asyncio."""
        self._host.leave(self)
        self._client.leave()
        self.resume_writing()
        for stream in list(self._streams.values()):
            stream.lose()
        self._streams.clear()

    def pause_writing(self) -> None:
        """See asyncio."""
        self._sending.pause()

    def resume_writing(self) -> None:
        """See asyncio."""
        self._sending.resume()
        self._widen(0)

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        try:
            for event in self._h2.receive_data(data):
                self._hear(event)
        except h2.exceptions.ProtocolError:
            self._hang_up()  # h2 has written down why, for the client to read
            return
        if self._nuisances.are_too_many:
            self._h2.close_connection(h2.errors.ErrorCodes.ENHANCE_YOUR_CALM)
            self._hang_up()
            return
        self._sending.flush_soon()

    # time limits

    def expire(self, now: float) -> None:
        """Hang up where nothing is asked for any more."""
        self._nuisances.forgive()
        if now < self._deadline or any(stream.answering for stream in self._streams.values()):
            return
        if self._closing:
            self.abort()
            return
        self._h2.close_connection()
        self._hang_up()

    def wind_down(self) -> None:
        """Answer what was asked, and then hang up. Repeating is safe."""
        self._is_winding_down = True
        self._sending.flush()
        if self._transport:
            self._transport.write(no_more_after(self._h2.highest_inbound_stream_id))
        self._hang_up_if_wound_down()

    def _hang_up_if_wound_down(self) -> None:
        if self._is_winding_down and not self._streams:
            self._hang_up()

    def abort(self) -> None:
        """Hang up at once."""
        if self._transport:
            self._transport.abort()

    # what h2 hears

    def _hear(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.RequestReceived():
                self._begin(event)
            case h2.events.DataReceived():
                self._take(event)
            case h2.events.TrailersReceived():
                self._trail(event)
            case h2.events.StreamEnded():
                stream = self._streams.get(event.stream_id)
                if stream:
                    stream.body.end()
            case h2.events.WindowUpdated():
                self._widen(event.stream_id)
            case h2.events.RemoteSettingsChanged():
                self._nuisances.add()
                self._widen(0)
            case h2.events.StreamReset():
                self._nuisances.add()
                self._lose(event.stream_id)
            case h2.events.ConnectionTerminated():
                self._hang_up()
            case _:
                self._nuisances.add()

    def _begin(self, event: h2.events.RequestReceived) -> None:
        number = event.stream_id
        if self._is_winding_down:
            self._sending.reset(number, h2.errors.ErrorCodes.REFUSED_STREAM)
            return
        pairs = [(bytes(name), bytes(value)) for name, value in event.headers]
        body = Pipe(took=lambda count, _: self._sending.acknowledge(count, number))
        refusal = None
        try:
            head = checked2(pairs)
        except ProxyRefusal as error:
            head, refusal = RequestHead(b"GET", b"/", b"", [], "2"), error
        if event.stream_ended:
            head.length = 0
        stream = Stream(self._sending, number, head, body, self._client)
        self._streams[number] = stream
        if refusal:
            refuse(stream, refusal, new_ulid())
            self._forget_if_done(stream)
        else:
            stream.task = self._loop.create_task(self._serve(stream))

    async def _serve(self, stream: Stream) -> None:
        try:
            await self._host.serve(stream)
        finally:
            self._forget_if_done(stream)

    def _forget_if_done(self, stream: Stream) -> None:
        """Forget a request that is answered, and read no more of its body."""
        self._deadline = self._loop.time() + self._client.keep_alive_s
        if not stream.done:
            return
        self._streams.pop(stream.number, None)
        stream.body.discard()
        if not stream.body.ended:
            self._sending.reset(stream.number, h2.errors.ErrorCodes.NO_ERROR)
        self._hang_up_if_wound_down()

    def _take(self, event: h2.events.DataReceived) -> None:
        padding = event.flow_controlled_length - len(event.data)
        stream = self._streams.get(event.stream_id)
        if stream is None:
            self._sending.acknowledge(event.flow_controlled_length, event.stream_id)
            return
        if padding:
            self._sending.acknowledge(padding, event.stream_id)
        if event.data:
            stream.body.feed(bytes(event.data))
        else:
            self._nuisances.add()

    def _trail(self, event: h2.events.TrailersReceived) -> None:
        stream = self._streams.get(event.stream_id)
        if stream:
            stream.body.trailers += [(bytes(name), bytes(value)) for name, value in event.headers]

    def _widen(self, number: int) -> None:
        if number:
            found = self._streams.get(number)
            changed = [found] if found else []
        else:
            changed = list(self._streams.values())
        for stream in changed:
            stream.go_on()
            if stream.done and not stream.answering:
                self._forget_if_done(stream)

    def _lose(self, number: int) -> None:
        stream = self._streams.pop(number, None)
        if stream:
            stream.lose()
            stream.body.discard()
            self._hang_up_if_wound_down()

    def _hang_up(self) -> None:
        self._sending.flush()
        self._closing = True
        self._deadline = self._loop.time() + _LINGER_S
        if self._transport:
            self._transport.close()
