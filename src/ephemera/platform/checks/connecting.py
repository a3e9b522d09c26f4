"""How the client of HTTP that checks ask with connects to a machine."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable, Sequence
from typing import Any

import httpcore2

from ephemera.platform.dialing import SocketTo, dial


class Connecting(httpcore2.AsyncNetworkBackend):
    """Connects to whichever address of a machine takes the connection.

    No timeout is kept to: whoever asks has one for the whole check.

    Args:
        hosts: The addresses of the machine.
        socket_to: Returns by which socket an address is reached.
    """

    def __init__(self, hosts: Sequence[str], socket_to: SocketTo) -> None:
        self._hosts = hosts
        self._socket_to = socket_to

    async def connect_tcp(
        self,
        host: str,  # noqa: ARG002 - the addresses are known better
        port: int,
        timeout: float | None = None,  # noqa: ARG002
        local_address: str | None = None,  # noqa: ARG002
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,  # noqa: ARG002
    ) -> httpcore2.AsyncNetworkStream:
        """Return a connection to the machine."""
        _, sock = await dial(self._hosts, port, self._socket_to)
        return _Stream(*await asyncio.open_connection(sock=sock))


class _Stream(httpcore2.AsyncNetworkStream):
    """A connection of asyncio."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        """Return what came; empty at the end."""
        return await self._reader.read(max_bytes)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        """Send something."""
        self._writer.write(buffer)
        await self._writer.drain()

    async def aclose(self) -> None:
        """Close it."""
        self._writer.close()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore2.AsyncNetworkStream:
        """Go on with TLS."""
        await self._writer.start_tls(ssl_context, server_hostname=server_hostname)
        return self

    def get_extra_info(self, info: str) -> Any:
        """Return what is known of the connection."""
        return self._writer.get_extra_info(info)
