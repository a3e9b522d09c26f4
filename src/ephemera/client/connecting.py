"""The sockets of requests to this computer. What is written leaves in one piece.

The HTTP library writes the head of a request, then its body, then waits for the answer. Sent as it
is written, that wakes the server up twice. So it is held back until an answer is waited for.

`Connecting` is the library's own way to connect, with that. `AsyncConnecting` is in the place of
its own, which is made of anyio's streams, for any event loop: they take as much time as all the
rest of a request together.
"""

from __future__ import annotations

import asyncio
import select
import socket
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, cast

import httpcore2

from ephemera.client.outgoing import WRITE_TIMEOUT_S


class Connecting(httpcore2.NetworkBackend):
    """Connects, for `Client`."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        """Return a connection to a server."""
        library = httpcore2.SyncBackend()
        return _Stream(library.connect_tcp(host, port, timeout, local_address, socket_options))

    def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        """Return a connection to a socket in the file system."""
        return _Stream(httpcore2.SyncBackend().connect_unix_socket(path, timeout, socket_options))


class _Stream(httpcore2.NetworkStream):
    """A connection of the library that holds back what is written."""

    def __init__(self, stream: httpcore2.NetworkStream) -> None:
        self._stream = stream
        self._held: list[bytes] = []

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Send what was held back, and return what comes; empty at the end."""
        held, self._held = b"".join(self._held), []
        # A server that reads no further may have answered why.
        with suppress(httpcore2.WriteError):
            self._stream.write(held, WRITE_TIMEOUT_S)
        return self._stream.read(max_bytes, timeout)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        """Take what is to be sent."""
        self._held.append(buffer)

    def close(self) -> None:
        """Close it."""
        self._stream.close()

    def get_extra_info(self, info: str) -> Any:
        """Return what is known of the connection."""
        return self._stream.get_extra_info(info)


class AsyncConnecting(httpcore2.AsyncNetworkBackend):
    """Connects, for `AsyncClient`, on the event loop that runs."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,  # noqa: ARG002 - nobody asks for one
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,  # noqa: ARG002
    ) -> httpcore2.AsyncNetworkStream:
        """Return a connection to a server."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout):
                _, stream = await loop.create_connection(_AsyncStream, host, port)
        except OSError as error:
            raise _not_connected(error) from error
        return stream

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,  # noqa: ARG002
    ) -> httpcore2.AsyncNetworkStream:
        """Return a connection to a socket in the file system."""
        loop = asyncio.get_running_loop()
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.setblocking(False)
            async with asyncio.timeout(timeout):
                # by ourselves: where others have to be accepted first, asyncio says that it is
                while not _is_taken_in(sock, path):  # noqa: ASYNC110 - nobody tells when they are
                    await asyncio.sleep(_LOOK_AGAIN_S)
                _, stream = await loop.create_unix_connection(_AsyncStream, sock=sock)
        except OSError as error:
            sock.close()
            raise _not_connected(error) from error
        except BaseException:
            sock.close()
            raise
        return stream


_LOOK_AGAIN_S = 0.01


def _is_taken_in(sock: socket.socket, path: str) -> bool:
    """Connect where there is room among those who wait to be accepted; whether there was."""
    try:
        sock.connect(path)
    except BlockingIOError:
        return False
    return True


def _not_connected(error: OSError) -> httpcore2.ConnectTimeout | httpcore2.ConnectError:
    if isinstance(error, TimeoutError):
        return httpcore2.ConnectTimeout(str(error))
    return httpcore2.ConnectError(str(error))


class _AsyncStream(asyncio.Protocol, httpcore2.AsyncNetworkStream):
    """A connection of asyncio, of which one task at a time writes, then reads."""

    def __init__(self) -> None:
        self._held: list[bytes] = []
        self._received = bytearray()
        #: Nothing will be received any more.
        self._is_over = False
        self._error: Exception | None = None
        #: Done when one of these has changed.
        self._news: asyncio.Future[None] | None = None

    # What the library calls:

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Send what was held back, and return what comes; empty at the end."""
        if self._held:
            self._transport.write(b"".join(self._held))
            self._held.clear()
        try:
            async with asyncio.timeout(timeout):
                while not self._received and not self._is_over:
                    self._news = asyncio.get_running_loop().create_future()
                    await self._news
        except TimeoutError as error:
            raise httpcore2.ReadTimeout(str(error)) from error
        if not self._received and self._error is not None:
            raise httpcore2.ReadError(str(self._error)) from self._error
        part = bytes(self._received[:max_bytes])
        del self._received[:max_bytes]
        return part

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        """Take what is to be sent."""
        self._held.append(buffer)

    async def aclose(self) -> None:
        """Close it; what was not sent yet is dropped. Repeating is safe."""
        self._transport.abort()

    def get_extra_info(self, info: str) -> Any:
        """Return what is known of the connection."""
        if info == "is_readable":
            return self._is_over or self._has_news()
        return self._transport.get_extra_info(info)

    def _has_news(self) -> bool:
        """Return whether the socket knows more than the event loop was told by it.

        Who asks has just come from other work, and the server may have closed it meanwhile.
        """
        socket = select.poll()
        socket.register(self._transport.get_extra_info("socket"), select.POLLIN)
        return bool(socket.poll(0))

    def _tell(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    # What the event loop calls:

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        self._tell()

    def eof_received(self) -> None:
        self._is_over = True
        self._tell()

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_over = True
        self._error = exc
        self._tell()
