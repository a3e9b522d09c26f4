"""One request at one machine: connect, ask, pass the answer on.

A connection that was kept from an earlier request may be dead. If it is, and nothing of an answer
came, the request is sent once more on a fresh one, if that can do no harm.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from ephemera.platform.proxy import compressing, headers, replays
from ephemera.platform.proxy.answers import AnswerHead, MachineLost
from ephemera.platform.proxy.machine import MachineConnection
from ephemera.platform.proxy.pool import Pool
from ephemera.platform.proxy.routing import ProxyRefusal, Seat
from ephemera.platform.proxy.streams import End, Headers, RequestHead, Stream
from ephemera.platform.proxy.uploading import KEPT_BYTES_MAX, Upload

#: What may be sent twice without harm (RFC 9110, section 9.2.2).
_REPEATABLE = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"))
_BODILESS = frozenset((204, 304))
#: How many answers may come before the answer: 100, 102, 103.
_INFORMED_MAX = 100


@dataclass(slots=True)
class Visit:
    """What is done with one request at the machine of a seat.

    Attributes:
        told: The headers that the machine gets, but for what frames the body.
        touch: Called whenever something passed.
        may_replay: Whether the machine may still send the request elsewhere.
    """

    stream: Stream
    head: RequestHead
    told: Headers
    seat: Seat
    upload: Upload
    request_id: str
    touch: Callable[[], None]
    may_replay: bool

    async def answer(self, pool: Pool) -> replays.Order | None:
        """Have the machine answer; return its order where it sends the request elsewhere.

        Raises:
            NotListening: it takes no connection.
            ProxyRefusal: it does not answer as it should, or its order cannot be followed.
            MachineLost: it hung up in the middle of an answer that the client has begun to read.
        """
        repeatable = self.head.method in _REPEATABLE and not self.head.upgrade
        fresh = bool(self.head.upgrade)
        while True:
            connection = await pool.connect(self.seat, repeatable=repeatable, fresh=fresh)
            try:
                return await self._ask(connection)
            except MachineLost as lost:
                self._check_upload()
                if self.stream.started:
                    raise
                again = lost.untouched and connection.carried > 1 and repeatable
                if fresh or not again or not self.upload.repeatable:
                    raise self._broken(lost) from lost
                fresh = True
            finally:
                self.upload.stop()
                if connection.reusable and self.upload.finished:
                    pool.keep(connection)
                else:
                    connection.abort()

    async def _ask(self, connection: MachineConnection) -> replays.Order | None:
        connection.ask(self._request(), bodiless=self.head.method == b"HEAD")
        self.upload.begin(connection)
        answer = await self._final_head(connection)
        self.touch()
        order = await self._order(answer, connection)
        if order:
            self._check_replay()
            return order
        self.upload.forget()
        if answer.status == 101:
            await self._tunnel(connection, answer)
        else:
            await self._pass_on(connection, answer)
        return None

    def _request(self) -> bytes:
        head = self.head
        said = list(self.told)
        if head.upgrade:
            said += [(b"connection", b"upgrade"), (b"upgrade", head.upgrade)]
        if head.length is None:
            said.append((b"transfer-encoding", b"chunked"))
        elif head.length or head.method in (b"POST", b"PUT", b"PATCH"):
            said.append((b"content-length", b"%d" % head.length))
        return b"%b %b HTTP/1.1\r\n%b\r\n" % (head.method, head.target, headers.lines(said))

    async def _final_head(self, connection: MachineConnection) -> AnswerHead:
        """Return the head of the answer. What comes before it (100, 103) is passed on."""
        for _ in range(_INFORMED_MAX):
            answer = await connection.next_head()
            if answer.status >= 200:
                return answer
            if answer.status == 101:
                if self.head.upgrade and answer.get(b"upgrade"):
                    return answer
                raise MachineLost("the app switched to another protocol, which nobody asked for")
            self.touch()
            self.stream.inform(answer.status, headers.end_to_end(answer.headers))
            await self.stream.drain()
        raise MachineLost(f"the app sent {_INFORMED_MAX} answers before its answer")

    # another machine is to answer

    async def _order(
        self, answer: AnswerHead, connection: MachineConnection
    ) -> replays.Order | None:
        value = answer.get(b"fly-replay")
        if value:
            order = replays.from_header(value, self.seat)
            cached = answer.get(b"fly-replay-cache")
            return replace(order, ignored=(*order.ignored, "fly-replay-cache")) if cached else order
        if answer.get(b"content-type").lower().startswith(replays.CONTENT_TYPE):
            return replays.from_json(await self._small_body(connection), self.seat)
        return None

    async def _small_body(self, connection: MachineConnection) -> bytes:
        body = b""
        while chunk := await connection.body.read():
            body += chunk
            if len(body) > replays.ORDER_BYTES_MAX:
                raise replays.invalid("says so at too great length", self.seat)
        return body

    def _check_replay(self) -> None:
        """See to it that the request can go where the machine wants it to go."""
        if not self.may_replay:
            raise self._refusal(
                f"the request was replayed {replays.REPLAYS_MAX} times",
                "look for two machines that send it to each other",
                "PA02",
            )
        if not self.upload.repeatable:
            raise self._refusal(
                f"the request cannot be replayed: its body is larger than {KEPT_BYTES_MAX} bytes",
                "the client can name the machine or region: Fly-Prefer-Region: CODE",
                "PA01",
            )

    # this machine answers

    async def _pass_on(self, connection: MachineConnection, answer: AnswerHead) -> None:
        stream, body = self.stream, connection.body
        options = self.seat.http_options
        said = headers.to_client(answer.headers, answer.version, self.request_id, options.response)
        packer = None
        length = answer.length
        if options.compress and compressing.worth_it(self.head, answer):
            packer, length = compressing.Gzip(), None
            said = compressing.described(said)
        has_body = self.head.method != b"HEAD" and answer.status not in _BODILESS
        stream.start(answer.status, said, length, body=has_body)
        while True:
            if not body.ready:
                stream.flush()
            chunk = await body.read()
            if not chunk:
                break
            self.touch()
            stream.write(packer.pack(chunk) if packer else chunk)
            await stream.drain()
        if packer:
            stream.write(packer.end())
        stream.finish(headers.end_to_end(body.trailers))

    async def _tunnel(self, connection: MachineConnection, answer: AnswerHead) -> None:
        options = self.seat.http_options.response
        said = headers.to_client(answer.headers, answer.version, self.request_id, options)
        said += [(b"connection", b"upgrade"), (b"upgrade", answer.get(b"upgrade"))]
        near = self.stream.switch(said, _Noted(connection, self.touch))
        connection.tunnel(_Noted(near, self.touch))
        await asyncio.shield(connection.closed)

    # what goes wrong

    def _check_upload(self) -> None:
        """Blame the client where the machine was hung up on for its sake."""
        failure = self.upload.failure
        if failure:
            raise failure

    def _broken(self, lost: MachineLost) -> ProxyRefusal:
        return self._refusal(lost.message, "the app's own log says more: `ephemera logs`", "")

    def _refusal(self, message: str, hint: str, code: str) -> ProxyRefusal:
        return ProxyRefusal(
            502,
            message,
            hint=hint,
            code=code,
            app_id=self.seat.app_id,
            machine_id=self.seat.machine_id,
        )


class _Noted:
    """An end of a tunnel; what passes is noted."""

    def __init__(self, end: End, touch: Callable[[], None]) -> None:
        self._end = end
        self._touch = touch
        self.hold = end.hold
        self.go_on = end.go_on
        self.close = end.close

    def write(self, data: bytes) -> None:
        """Send bytes, without waiting."""
        self._touch()
        self._end.write(data)
