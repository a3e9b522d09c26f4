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
from contextlib import AbstractAsyncContextManager, AbstractContextManager, closing, contextmanager
from typing import Any, TypeVar
from urllib.parse import urlencode

import httpx2

from ephemera import __version__
from ephemera.client.attempt import Pace, Steps, error_of
from ephemera.client.call import Call, Stream
from ephemera.client.exchange import Following, exchange, follow, limited
from ephemera.client.holding import Holding, held, held_async
from ephemera.client.limits import Limiter
from ephemera.client.messages import Answer, Found, Lost, Pause, Send
from ephemera.client.newborn import Newborns, patient
from ephemera.client.place import Place
from ephemera.client.settings import Address
from ephemera.errors import ConfigError
from ephemera.wire.models import Lease

T = TypeVar("T")
P = TypeVar("P")
M = TypeVar("M", httpx2.HTTPTransport, httpx2.AsyncHTTPTransport)

_CONNECT_TIMEOUT_S = 5.0
#: Sending a megabyte of config over a poor line.
_WRITE_TIMEOUT_S = 30.0
#: A socket cannot be told to wait for ever in a number of seconds.
_READ_TIMEOUT_MOST_S = 24 * 3600.0
#: Servers close idle connections, uvicorn after 5 s. A request that is sent into one that is
#: just being closed is lost, so we close them first.
_KEEPALIVE_S = 4.0
#: A thousand machines may be waited for at the same time, each wait holding a connection.
_CONNECTIONS = httpx2.Limits(max_connections=None, keepalive_expiry=_KEEPALIVE_S)

#: For connections without encryption, since loading the certificates takes 60 ms.
_TRUSTS_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

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
        self,
        place: Place,
        transport: httpx2.BaseTransport | None,
        pace: Pace | None = None,
        limits: bool | None = None,
    ) -> None:
        self.place = place
        self._steps = _Planner(place, pace, limits)
        with _surroundings():
            mounts = _mounts(place, httpx2.HTTPTransport) if transport is None else None
            self._http = httpx2.Client(transport=transport, mounts=mounts, **_options(place))

    def locate(self) -> str:
        """Return the base URL, starting the embedded platform if need be."""
        return self.place.find().shown

    def run(self, call: Call[T]) -> T:
        """Return what a call results in."""
        steps = self._steps.of(call)
        reply: Answer | Lost | None = None
        while True:
            try:
                step = steps.send(reply)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]  # generators type it as Any
            reply = self._do(step)

    def stream(self, stream: Stream[P, T]) -> Iterator[T]:
        """Yield the items of a stream."""
        reply: Answer | Lost | None = None
        with closing(self._steps.of_stream(stream)) as steps:
            while (step := _next(steps, reply)) is not None:
                if isinstance(step, Found):
                    yield step.item
                    reply = None
                else:
                    reply = self._do(step)

    @contextmanager
    def download(self, call: Call[Any]) -> Iterator[Iterator[bytes]]:
        """Open an answer that is too long to be held in memory, to be read block by block.

        It is asked for once.

        Raises:
            ApiError: the API said no.
            Unreachable, NoAnswer: no answer came; the latter also where it broke off.
        """
        _check_open(self._http)
        address, step = self.place.find(), call.send()
        try:
            response = self._http.send(_request(self._http, address, step), stream=True)
            with closing(response):
                if not response.is_success:
                    response.read()
                    raise error_of(call, _answer(response), doubtful=False)
                yield response.iter_bytes()
        except httpx2.RequestError as error:
            lost = _lost(error, step, address)
            raise error_of(call, lost, doubtful=lost.sent) from error

    def hold(self, holding: Holding) -> AbstractContextManager[Lease]:
        """Hold a lease for the length of a `with`."""
        return held(holding, self.run)

    def close(self) -> None:
        """Close all connections. Repeating is safe."""
        self._http.close()

    def _do(self, step: Send | Pause) -> Answer | Lost | None:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        _check_open(self._http)
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
        self,
        place: Place,
        transport: httpx2.AsyncBaseTransport | None,
        pace: Pace | None = None,
        limits: bool | None = None,
    ) -> None:
        self.place = place
        self._steps = _Planner(place, pace, limits)
        with _surroundings():
            mounts = _mounts(place, httpx2.AsyncHTTPTransport) if transport is None else None
            self._http = httpx2.AsyncClient(transport=transport, mounts=mounts, **_options(place))

    async def locate(self) -> str:
        """Return the base URL, starting the embedded platform if need be."""
        return (await self._find()).shown

    async def run(self, call: Call[T]) -> T:
        """Return what a call results in."""
        steps = self._steps.of(call)
        reply: Answer | Lost | None = None
        while True:
            try:
                step = steps.send(reply)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]  # generators type it as Any
            reply = await self._do(step)

    async def stream(self, stream: Stream[P, T]) -> AsyncIterator[T]:
        """Yield the items of a stream."""
        reply: Answer | Lost | None = None
        with closing(self._steps.of_stream(stream)) as steps:
            while (step := _next(steps, reply)) is not None:
                if isinstance(step, Found):
                    yield step.item
                    reply = None
                else:
                    reply = await self._do(step)

    def hold(self, holding: Holding) -> AbstractAsyncContextManager[Lease]:
        """Hold a lease for the length of an `async with`."""
        return held_async(holding, self.run)

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
        _check_open(self._http)
        address = await self._find()
        try:
            return _answer(await self._http.send(_request(self._http, address, step)))
        except httpx2.RequestError as error:
            lost = _lost(error, step, address)
        if not lost.sent and self.place.embedded:
            await asyncio.to_thread(self.place.find_again, address)
        return lost


class _Planner:
    """Makes the steps of calls, at the pace and within the limits of one client."""

    def __init__(self, place: Place, pace: Pace | None, limits: bool | None) -> None:
        self._pace = pace or Pace()
        self._limiter = Limiter() if (place.fly if limits is None else limits) else None
        self._newborns = Newborns() if place.fly else None

    def of(self, call: Call[T]) -> Steps[T]:
        return self._limited(exchange(call, self._pace))

    def of_stream(self, stream: Stream[P, T]) -> Following[T]:
        return self._limited(follow(stream, self._pace))

    def _limited(self, steps: Generator[Any, Any, T]) -> Generator[Any, Any, T]:
        if self._newborns:
            steps = patient(steps, self._newborns, self._pace)
        return limited(steps, self._limiter, self._pace) if self._limiter else steps


def _next(steps: Following[T], reply: Answer | Lost | None) -> Send | Pause | Found[T] | None:
    """Return the next step of a stream, None at its end."""
    try:
        return steps.send(reply)
    except StopIteration:
        return None


def _mounts(place: Place, transport: type[M]) -> dict[str, M] | None:
    """Return how a machine's own socket is reached, where that is the way to the API."""
    address = place.address
    if address is None or address.socket is None:
        return None
    through = transport(uds=address.socket, limits=_CONNECTIONS, verify=_TRUSTS_NOBODY)
    return {address.url: through}


@contextmanager
def _surroundings() -> Iterator[None]:
    """Make a client of the HTTP library, which reads settings of its own in the environment."""
    try:
        yield
    except (ImportError, OSError, ValueError, httpx2.InvalidURL) as error:
        raise ConfigError(
            f"the settings for proxies or certificates cannot be used: {error}",
            hint="look at HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, SSL_CERT_FILE and SSL_CERT_DIR",
        ) from error


def _check_open(http: httpx2.Client | httpx2.AsyncClient) -> None:
    if http.is_closed:
        raise ConfigError("the client is closed", hint="make another one")


def _options(place: Place) -> dict[str, Any]:
    options: dict[str, Any] = {
        "headers": {"user-agent": f"ephemera/{__version__}", "accept": "application/json"},
        "limits": _CONNECTIONS,
        "follow_redirects": False,
        # No proxy stands between this computer and itself.
        "trust_env": not place.local,
    }
    if place.plain:
        options["verify"] = _TRUSTS_NOBODY
    return options


def _request(
    http: httpx2.Client | httpx2.AsyncClient, address: Address, send: Send
) -> httpx2.Request:
    headers = dict(send.headers)
    if address.authorization:
        headers["authorization"] = address.authorization
    if send.body is not None:
        headers["content-type"] = "application/json"
    try:
        pairs = send.query if address.fly else (*send.query, *send.own_query)
        query = "?" + urlencode(pairs) if pairs else ""
        return http.build_request(
            send.method,
            _base(send, address) + send.path + query,
            headers=headers,
            content=send.body,
            timeout=_timeout(send),
        )
    except (httpx2.InvalidURL, UnicodeEncodeError) as error:
        raise ConfigError(f"a request for {send.path[:80]} cannot be sent: {error}") from error


def _timeout(send: Send) -> httpx2.Timeout:
    return httpx2.Timeout(
        connect=_CONNECT_TIMEOUT_S,
        read=min(send.read_timeout_s, _READ_TIMEOUT_MOST_S),
        write=_WRITE_TIMEOUT_S,
        pool=None,
    )


def _answer(response: httpx2.Response) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status_code, headers, response.content)


def _lost(error: httpx2.RequestError, send: Send, address: Address) -> Lost:
    """Return what an exception of the HTTP library means."""
    what = str(error) or type(error).__name__
    return Lost(
        sent=not isinstance(error, _NEVER_SENT),
        reason=f"{what}, at {address.logs_url if send.base == 'logs' else address.shown}",
        cause=error,
    )


def _base(send: Send, address: Address) -> str:
    return address.logs_url if send.base == "logs" else address.url
