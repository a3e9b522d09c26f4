"""Connecting to the program of a machine, which listens at one of several addresses or at none."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence

#: Returns a socket by which a host is reached that this computer has no way to; None where any
#: socket will do.
SocketTo = Callable[[str], socket.socket | None]


def any_socket(_: str) -> None:
    """Say that any socket will do."""


async def dial(
    hosts: Sequence[str], port: int, socket_to: SocketTo = any_socket
) -> tuple[str, socket.socket]:
    """Return the first of some hosts that takes a connection at a port, and the connection.

    Args:
        hosts: Addresses, at least one.

    Raises:
        OSError: none does; why the first does not.
    """
    refused: OSError | None = None
    for host in hosts:
        try:
            return host, await _connected(host, port, socket_to)
        except OSError as error:
            refused = refused or error
    assert refused, "there is no address"
    raise refused


async def _connected(host: str, port: int, socket_to: SocketTo) -> socket.socket:
    sock = socket_to(host)
    if sock is None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(sock, (host, port))
    except BaseException:
        sock.close()
        raise
    return sock
