"""The short way, to an API on this computer: a connection, and HTTP/1.1 on it.

Here is no encryption, no proxy, no redirect, no cookie and no compressed answer, so the HTTP
library's client, which looks at each of these for every request, has nothing to do. Requests go to
the connections that it is made of, which are httpcore2's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from typing import NamedTuple
from urllib.parse import quote, urlsplit

import httpcore2

from ephemera.client.connecting import AsyncConnecting, Connecting
from ephemera.client.kept import Kept
from ephemera.client.messages import Answer, Send
from ephemera.client.outgoing import (
    ALWAYS,
    KEEPALIVE_S,
    base_of,
    headers_of,
    target_of,
    timeouts_of,
    unanswered,
)
from ephemera.client.settings import Address

_FAILURES = (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException)
#: What tells for certain that no byte of the request has left.
_NEVER_SENT = (httpcore2.ConnectError, httpcore2.ConnectTimeout, httpcore2.LocalProtocolError)


class Near:
    """Sends requests, for `Client`. Safe to use from any thread.

    Args:
        socket: The path of the Unix socket that the API is reached through; else TCP.
    """

    def __init__(self, socket: str | None) -> None:
        self._kept = Kept(
            partial(
                httpcore2.HTTPConnection,
                keepalive_expiry=KEEPALIVE_S,
                uds=socket,
                network_backend=Connecting(),
            )
        )

    def ask(self, address: Address, send: Send) -> Answer:
        """Send a request and return its answer.

        Raises:
            Unanswered: none came.
            ConfigError: it cannot be sent.
        """
        with self._sent(address, send) as response:
            return _answer(response, response.read())

    @contextmanager
    def open(self, address: Address, send: Send) -> Iterator[Answer | Iterator[bytes]]:
        """Send a request; open its answer block by block, or return it whole if it is a refusal.

        Raises:
            Unanswered: none came; of the iterator too, where it broke off.
            ConfigError: it cannot be sent.
        """
        with self._sent(address, send) as response:
            if 200 <= response.status < 300:
                yield response.iter_stream()
            else:
                yield _answer(response, response.read())

    @contextmanager
    def _sent(self, address: Address, send: Send) -> Iterator[httpcore2.Response]:
        request = _request(address, send)
        connection = self._kept.take(request.url.origin)
        try:
            response = connection.handle_request(request)
            try:
                yield response
            finally:
                response.close()
        except _FAILURES as error:
            sent = not isinstance(error, _NEVER_SENT)
            raise unanswered(error, address, send, sent=sent) from error
        finally:
            for unwanted in self._kept.give_back(connection):
                unwanted.close()

    def close(self) -> None:
        """Close all connections. Repeating is safe."""
        for connection in self._kept.end():
            connection.close()


class AsyncNear:
    """Sends requests, for `AsyncClient`.

    Args:
        socket: The path of the Unix socket that the API is reached through; else TCP.
    """

    def __init__(self, socket: str | None) -> None:
        self._kept = Kept(
            partial(
                httpcore2.AsyncHTTPConnection,
                keepalive_expiry=KEEPALIVE_S,
                uds=socket,
                network_backend=AsyncConnecting(),
            )
        )

    async def ask(self, address: Address, send: Send) -> Answer:
        """Send a request and return its answer.

        Raises:
            Unanswered: none came.
            ConfigError: it cannot be sent.
        """
        request = _request(address, send)
        connection = self._kept.take(request.url.origin)
        try:
            response = await connection.handle_async_request(request)
            try:
                return _answer(response, await response.aread())
            finally:
                await response.aclose()
        except _FAILURES as error:
            sent = not isinstance(error, _NEVER_SENT)
            raise unanswered(error, address, send, sent=sent) from error
        finally:
            for unwanted in self._kept.give_back(connection):
                await unwanted.aclose()

    async def close(self) -> None:
        """Close all connections. Repeating is safe."""
        for connection in self._kept.end():
            await connection.aclose()


class _Server(NamedTuple):
    """A base URL, taken apart."""

    host: str
    port: int | None
    path: str
    #: What its requests say they are for, and all others say too.
    headers: tuple[tuple[str, str], ...]


@lru_cache(maxsize=16)
def _server(base: str) -> _Server:
    parts = urlsplit(base)
    return _Server(
        host=parts.hostname or "",
        port=parts.port,
        path=quote(parts.path, safe="/%:@!$&'()*+,;=~"),
        headers=(("host", parts.netloc), *ALWAYS.items()),
    )


def _request(address: Address, send: Send) -> httpcore2.Request:
    server = _server(base_of(address, send))
    headers = [*server.headers, *headers_of(address, send)]
    if send.body is not None:
        headers.append(("content-length", str(len(send.body))))
    return httpcore2.Request(
        send.method,
        httpcore2.URL(
            scheme="http",
            host=server.host,
            port=server.port,
            target=server.path + target_of(address, send),
        ),
        headers=headers,
        content=send.body,
        extensions={"timeout": timeouts_of(send)},
    )


def _answer(response: httpcore2.Response, body: bytes) -> Answer:
    headers = {
        name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers
    }
    return Answer(response.status, headers, body)
