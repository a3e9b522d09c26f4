"""The only I/O of the client: what the exchange yields is done here, once with and once without
`await`.

The exceptions of the HTTP library end here: in `_request` where a request cannot be written, in
`_lost` where it has no answer. The exchange raises our own errors from the latter.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import closing
from typing import Any, TypeVar
from urllib.parse import urlencode

import httpx2

from ephemera import __version__
from ephemera.client.call import Call, LogStream
from ephemera.client.exchange import Pace, exchange, follow
from ephemera.client.messages import Answer, Found, Lost, Pause, Send
from ephemera.client.place import Place
from ephemera.client.settings import Address
from ephemera.errors import ConfigError
from ephemera.wire.models import LogEntry

T = TypeVar("T")

_CONNECT_TIMEOUT_S = 5.0
#: Sending a megabyte of config over a poor line.
_WRITE_TIMEOUT_S = 30.0
#: Servers close idle connections, uvicorn after 5 s. A request that is sent into one that is
#: just being closed is lost, so we close them first.
_KEEPALIVE_S = 4.0

#: What tells for certain that no byte of the request has left. The pool has no limit, so
#: `PoolTimeout` cannot happen.
_NEVER_SENT = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.LocalProtocolError,
    httpx2.ProxyError,
    httpx2.UnsupportedProtocol,
)


class Link:
    """Carries calls out, for `Client`. Safe to use from any thread."""

    def __init__(
        self, place: Place, transport: httpx2.BaseTransport | None, pace: Pace | None = None
    ) -> None:
        self.place = place
        self._pace = pace or Pace()
        self._http = httpx2.Client(transport=transport, **_options(place))

    def locate(self) -> str:
        """Return the base URL, starting the embedded platform if need be."""
        return self.place.find().url

    def run(self, call: Call[T]) -> T:
        """Return what a call results in."""
        steps = exchange(call, self._pace)
        reply: Answer | Lost | None = None
        while True:
            try:
                step = steps.send(reply)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]  # generators type it as Any
            reply = self._do(step)

    def stream(self, log: LogStream) -> Iterator[LogEntry]:
        """Yield the lines of a log."""
        reply: Answer | Lost | None = None
        with closing(follow(log, self._pace)) as steps:
            while (step := _next(steps, reply)) is not None:
                if isinstance(step, Found):
                    yield step.entry
                    reply = None
                else:
                    reply = self._do(step)

    def close(self) -> None:
        """Close all connections. Repeating is safe."""
        self._http.close()

    def _do(self, step: Send | Pause) -> Answer | Lost | None:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        address = self.place.find()
        try:
            return _answer(self._http.send(_request(self._http, address, step)))
        except httpx2.RequestError as error:
            lost = _lost(error, step, address)
        if not lost.sent:
            self.place.find_again(address)
        return lost


class AsyncLink:
    """Carries calls out, for `AsyncClient`. Belongs to the event loop that uses it first."""

    def __init__(
        self, place: Place, transport: httpx2.AsyncBaseTransport | None, pace: Pace | None = None
    ) -> None:
        self.place = place
        self._pace = pace or Pace()
        self._http = httpx2.AsyncClient(transport=transport, **_options(place))

    async def locate(self) -> str:
        """Return the base URL, starting the embedded platform if need be."""
        return (await self._find()).url

    async def run(self, call: Call[T]) -> T:
        """Return what a call results in."""
        steps = exchange(call, self._pace)
        reply: Answer | Lost | None = None
        while True:
            try:
                step = steps.send(reply)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]  # generators type it as Any
            reply = await self._do(step)

    async def stream(self, log: LogStream) -> AsyncIterator[LogEntry]:
        """Yield the lines of a log."""
        reply: Answer | Lost | None = None
        with closing(follow(log, self._pace)) as steps:
            while (step := _next(steps, reply)) is not None:
                if isinstance(step, Found):
                    yield step.entry
                    reply = None
                else:
                    reply = await self._do(step)

    async def close(self) -> None:
        """Close all connections. Repeating is safe."""
        await self._http.aclose()

    async def _find(self) -> Address:
        address = self.place.address
        if address is None:
            # Starting a platform would hold the event loop for a second.
            address = await asyncio.to_thread(self.place.find)
        return address

    async def _do(self, step: Send | Pause) -> Answer | Lost | None:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return None
        address = await self._find()
        try:
            return _answer(await self._http.send(_request(self._http, address, step)))
        except httpx2.RequestError as error:
            lost = _lost(error, step, address)
        if not lost.sent and self.place.embedded:
            await asyncio.to_thread(self.place.find_again, address)
        return lost


_LogSteps = Generator[Send | Pause | Found, Answer | Lost | None, None]


def _next(steps: _LogSteps, reply: Answer | Lost | None) -> Send | Pause | Found | None:
    """Return the next step of a log stream, None at its end."""
    try:
        return steps.send(reply)
    except StopIteration:
        return None


def _options(place: Place) -> dict[str, Any]:
    options: dict[str, Any] = {
        "headers": {"user-agent": f"ephemera/{__version__}", "accept": "application/json"},
        # A thousand machines may be waited for at the same time, each wait holding a connection.
        "limits": httpx2.Limits(max_connections=None, keepalive_expiry=_KEEPALIVE_S),
        "follow_redirects": False,
        # No proxy stands between this computer and itself.
        "trust_env": not place.local,
    }
    if place.plain:
        # Loading the certificates takes 60 ms. This context trusts nobody, and nobody asks it.
        options["verify"] = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return options


def _request(
    http: httpx2.Client | httpx2.AsyncClient, address: Address, send: Send
) -> httpx2.Request:
    query = "?" + urlencode(send.query) if send.query else ""
    headers = {"authorization": address.authorization, **dict(send.headers)}
    if send.body is not None:
        headers["content-type"] = "application/json"
    try:
        return http.build_request(
            send.method,
            _base(send, address) + send.path + query,
            headers=headers,
            content=send.body,
            timeout=_timeout(send),
        )
    except httpx2.InvalidURL as error:
        raise ConfigError(f"a request for {send.path[:80]} cannot be sent: {error}") from error


def _timeout(send: Send) -> httpx2.Timeout:
    return httpx2.Timeout(
        connect=_CONNECT_TIMEOUT_S, read=send.read_timeout_s, write=_WRITE_TIMEOUT_S, pool=None
    )


def _answer(response: httpx2.Response) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status_code, headers, response.content)


def _lost(error: httpx2.RequestError, send: Send, address: Address) -> Lost:
    """Return what an exception of the HTTP library means."""
    what = str(error) or type(error).__name__
    return Lost(
        sent=not isinstance(error, _NEVER_SENT),
        reason=f"{what}, at {_base(send, address)}",
        cause=error,
    )


def _base(send: Send, address: Address) -> str:
    return address.logs_url if send.base == "logs" else address.url
