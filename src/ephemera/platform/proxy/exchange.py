"""One request, from its head to the end of its answer.

```
 entrance ─► https only? ─► seat ─► visit ─► answered
                            ▲  ▲      │ │
                            │  └──────┘ └──► the machine sends it elsewhere: fly-replay
                            │  it takes no connection         │
                            └─────────────────────────────────┘
```

It runs in a task. When the client goes away, the task is cancelled, which hangs up on the
machine and gives its seat back. When the machine goes away, the client is told: by a status
where nothing was sent yet, and by a connection that breaks where something was.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from functools import partial
from typing import Protocol

from ephemera.platform.proxy import headers, refusing, replays
from ephemera.platform.proxy.answers import MachineLost
from ephemera.platform.proxy.pool import NotListening, Pool
from ephemera.platform.proxy.routing import Asked, Entrance, ProxyRefusal, Router, Seat
from ephemera.platform.proxy.streams import (
    HEADERS_READ_S,
    KEEP_ALIVE_S,
    Disconnected,
    RequestHead,
    Stream,
)
from ephemera.platform.proxy.uploading import Upload
from ephemera.platform.proxy.visiting import Visit
from ephemera.wire.ids import new_ulid

_log = logging.getLogger(__name__)

#: How many machines are tried that take no connection.
_MACHINES_MAX = 4
#: How long nothing may pass in either direction, unless the port's `idle_timeout` says otherwise.
IDLE_S = 60.0


class Surroundings(Protocol):
    """What all exchanges share."""

    router: Router
    pool: Pool
    #: Where requests come in.
    region: str
    #: The port of the TLS listener, for redirects.
    tls_port: int

    def complain(self, refusal: ProxyRefusal) -> None:
        """Write a refusal into the log of its app."""
        ...


class Exchange:
    """Answers one request. Made in the task that runs it."""

    def __init__(self, stream: Stream, around: Surroundings) -> None:
        self.request_id = new_ulid()
        self._stream = stream
        if authority := stream.client.listener.authority:
            stream.head.authority = authority.encode()
        self._around = around
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._upload = Upload(stream.body, self.touch, chunked=stream.head.length is None)
        #: Where it is: what is blamed when nothing passes any more.
        self._seat: Seat | None = None
        self._expired: Seat | None = None
        self._touched = self._loop.time()

    def touch(self) -> None:
        """Note that something passed."""
        self._touched = self._loop.time()

    def expire_if_idle(self, now: float) -> None:
        """End it if nothing passed for too long. While a machine is looked for, that is right."""
        if self._seat is None or self._task is None or self._expired:
            return
        if now - self._touched > (self._seat.http_options.idle_timeout or IDLE_S):
            self._expired = self._seat
            self._task.cancel()

    async def run(self) -> None:
        """Answer the request, whatever happens.

        Raises:
            asyncio.CancelledError: the client has gone.
        """
        try:
            await self._answer_in_time()
        except ProxyRefusal as refusal:
            self._around.complain(refusal)
            refuse(self._stream, refusal, self.request_id)
        except (Disconnected, MachineLost):
            self._stream.abort()
        except Exception:  # noqa: BLE001 - whatever it is, the client is not left waiting
            _log.exception("request %s failed", self.request_id)
            refuse(self._stream, ProxyRefusal(500, "the proxy failed"), self.request_id)

    async def _answer_in_time(self) -> None:
        try:
            await self._answer()
        except asyncio.CancelledError:
            if not (self._expired and self._task):
                raise
            self._task.uncancel()
            raise self._too_slow(self._expired) from None

    async def _answer(self) -> None:
        head, client = self._stream.head, self._stream.client
        port, tls = client.listener.port, client.listener.tls
        entrance = self._around.router.entrance(head.host, port, tls=tls, client=client.address)
        client.headers_read_s = entrance.http_options.headers_read_timeout or HEADERS_READ_S
        client.keep_alive_s = entrance.http_options.idle_timeout or KEEP_ALIVE_S
        if entrance.force_https and not (tls or client.listener.is_inside):
            self._redirect(head, entrance)
            return
        wishes = headers.wishes(head.headers)
        asked = Asked(head.host, port, tls, client.address, wishes)
        for left in range(replays.REPLAYS_MAX, -1, -1):
            order = await self._visit_somebody(asked, head, entrance, may_replay=left > 0)
            if order is None:
                return
            seat, order_ = order
            if complaint := order_.complaint():
                place = (seat.app_id, seat.machine_id, seat.region)
                self._around.router.say(*place, "warning", complaint)
            head = order_.changed(head, seat)
            asked = replace(asked, replay=order_.replay, wishes={})

    async def _visit_somebody(
        self, asked: Asked, head: RequestHead, entrance: Entrance, *, may_replay: bool
    ) -> tuple[Seat, replays.Order] | None:
        """Have a machine answer; return its order where it sends the request elsewhere."""
        refused: ProxyRefusal | None = None
        while len(asked.avoid) < _MACHINES_MAX:
            try:
                seat = await self._take_seat(asked, entrance)
            except ProxyRefusal as error:
                # Routing may know more of the same; that there is no other machine is no news.
                raise error if refused is None or error.code == refused.code else refused from None
            try:
                order = await self._visit(seat, asked, head, may_replay=may_replay)
            except NotListening as error:
                refused = _not_listening(error, seat)
                asked = replace(asked, avoid=asked.avoid | {seat.machine_id})
                self._stream.client.seats.give_up(asked.host, seat)
            else:
                return (seat, order) if order else None
            finally:
                self._leave(seat)
        assert refused
        raise refused

    async def _visit(
        self, seat: Seat, asked: Asked, head: RequestHead, *, may_replay: bool
    ) -> replays.Order | None:
        around = self._around
        told = headers.to_machine(head, self._stream.client, around.region, self.request_id)
        told += [
            (name.encode(), value.encode("latin-1", "replace")) for name, value in seat.headers
        ]
        if asked.replay:
            told.append(replays.source(asked.replay))
        visit = Visit(
            self._stream, head, told, seat, self._upload, self.request_id, self.touch, may_replay
        )
        return await visit.answer(around.pool)

    async def _take_seat(self, asked: Asked, entrance: Entrance) -> Seat:
        """Return the seat of the client's connection, where it has one, else a fresh one."""
        take = partial(self._around.router.seat, asked)
        if entrance.per_connection and not (asked.replay or asked.wishes or asked.avoid):
            seat = await self._stream.client.seats.get(asked.host, take)
        else:
            seat = await take()
        self._seat = seat
        self.touch()
        return seat

    def _leave(self, seat: Seat) -> None:
        """Give a seat back, unless the client's connection keeps it."""
        self._seat = None
        if not self._stream.client.seats.holds(seat):
            seat.release()

    def _redirect(self, head: RequestHead, entrance: Entrance) -> None:
        port = self._around.tls_port
        place = head.host if port == 443 else f"{head.host}:{port}"
        path = b"/" if head.target == b"*" else head.target
        location = b"https://%b%b" % (place.encode(), path)
        options = entrance.http_options.response
        said = headers.to_client([(b"location", location)], "1.1", self.request_id, options)
        self._stream.start(301, said, 0, body=head.method != b"HEAD")
        self._stream.finish([])

    def _too_slow(self, seat: Seat) -> ProxyRefusal:
        if not self._upload.finished:
            return ProxyRefusal(408, "the body of the request did not come")
        return ProxyRefusal(
            504,
            "the app did not answer in time",
            hint="`http_options.idle_timeout` of its service says how long it may be silent",
            app_id=seat.app_id,
            machine_id=seat.machine_id,
        )


def refuse(stream: Stream, refusal: ProxyRefusal, request_id: str) -> None:
    """Answer in the name of the proxy; where an answer was begun, break it off."""
    if stream.started:
        stream.abort()
        return
    said, body = refusing.answer(refusal, stream.head, request_id)
    has_body = stream.head.method != b"HEAD"
    stream.start(refusal.status, said, len(body), body=has_body)
    if has_body:
        stream.write(body)
    stream.finish([])


def _not_listening(error: NotListening, seat: Seat) -> ProxyRefusal:
    port = seat.addresses[0][1] if seat.addresses else 0
    return ProxyRefusal(
        502,
        f"the app is not listening on 0.0.0.0:{port}: {error.message}",
        hint="have it listen there, or set internal_port to the port it listens on",
        code="PM05",
        app_id=seat.app_id,
        machine_id=seat.machine_id,
    )
