"""The way to an API anywhere: TLS, proxies of the environment, compressed answers.

All of that is the HTTP library's. What goes to this computer goes by the shorter way of `near`.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, TypeVar

import httpx2

from ephemera.client.messages import Answer, Send
from ephemera.client.outgoing import (
    ALWAYS,
    KEEPALIVE_S,
    base_of,
    headers_of,
    target_of,
    timeouts_of,
    unanswered,
    unsendable,
)
from ephemera.client.place import Place
from ephemera.client.settings import Address
from ephemera.errors import ConfigError

M = TypeVar("M", httpx2.HTTPTransport, httpx2.AsyncHTTPTransport)

#: A thousand machines may be waited for at the same time, each wait holding a connection.
_CONNECTIONS = httpx2.Limits(max_connections=None, keepalive_expiry=KEEPALIVE_S)

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


class Far:
    """Sends requests, for `Client`. Safe to use from any thread.

    Raises:
        ConfigError: settings of the environment for the HTTP library cannot be used.
    """

    def __init__(self, place: Place, transport: httpx2.BaseTransport | None) -> None:
        with _surroundings():
            mounts = _mounts(place, httpx2.HTTPTransport) if transport is None else None
            self._http = httpx2.Client(transport=transport, mounts=mounts, **_options(place))

    def ask(self, address: Address, send: Send) -> Answer:
        """Send a request and return its answer.

        Raises:
            Unanswered: none came.
            ConfigError: it cannot be sent.
        """
        request = _request(self._http, address, send)
        with _told(address, send):
            return _answer(self._http.send(request))

    @contextmanager
    def open(self, address: Address, send: Send) -> Iterator[Answer | Iterator[bytes]]:
        """Send a request; open its answer block by block, or return it whole if it is a refusal.

        Raises:
            Unanswered: none came; of the iterator too, where it broke off.
            ConfigError: it cannot be sent.
        """
        request = _request(self._http, address, send)
        with _told(address, send), closing(self._http.send(request, stream=True)) as response:
            if response.is_success:
                yield response.iter_bytes()
            else:
                response.read()
                yield _answer(response)

    def close(self) -> None:
        """Close all connections. Repeating is safe."""
        self._http.close()


class AsyncFar:
    """Sends requests, for `AsyncClient`.

    Raises:
        ConfigError: settings of the environment for the HTTP library cannot be used.
    """

    def __init__(self, place: Place, transport: httpx2.AsyncBaseTransport | None) -> None:
        with _surroundings():
            mounts = _mounts(place, httpx2.AsyncHTTPTransport) if transport is None else None
            self._http = httpx2.AsyncClient(transport=transport, mounts=mounts, **_options(place))

    async def ask(self, address: Address, send: Send) -> Answer:
        """Send a request and return its answer.

        Raises:
            Unanswered: none came.
            ConfigError: it cannot be sent.
        """
        request = _request(self._http, address, send)
        with _told(address, send):
            return _answer(await self._http.send(request))

    async def close(self) -> None:
        """Close all connections. Repeating is safe."""
        await self._http.aclose()


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


def _options(place: Place) -> dict[str, Any]:
    options: dict[str, Any] = {
        "headers": ALWAYS,
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
    target = target_of(address, send)
    try:
        return http.build_request(
            send.method,
            base_of(address, send) + target,
            headers=dict(headers_of(address, send)),
            content=send.body,
            extensions={"timeout": timeouts_of(send)},
        )
    except (httpx2.InvalidURL, UnicodeEncodeError) as error:
        raise unsendable(send, error) from error


@contextmanager
def _told(address: Address, send: Send) -> Iterator[None]:
    """Turn the library's exceptions into what they mean."""
    try:
        yield
    except httpx2.RequestError as error:
        sent = not isinstance(error, _NEVER_SENT)
        raise unanswered(error, address, send, sent=sent) from error


def _answer(response: httpx2.Response) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status_code, headers, response.content)
