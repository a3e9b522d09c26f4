"""Connecting to the program of a machine, which listens at one of several addresses or at none.

Where nobody listens at a port of this computer from which systems take those of who connects, a
connection may be given that very port, and meet itself: Linux takes it for made. So whoever tries
such a port again and again is told at last that a program listens there, and keeps the program from
having the port. Such a connection is none.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
from collections.abc import Callable, Sequence

#: Returns a socket by which a host is reached that this computer has no way to; None where any
#: socket will do.
SocketTo = Callable[[str], socket.socket | None]

#: Have the kernel reset a connection that is closed: its port is free at once.
_NO_LINGER = struct.pack("ii", 1, 0)


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
        _refuse_itself(sock)
    except BaseException:
        sock.close()
        raise
    return sock


def _refuse_itself(sock: socket.socket) -> None:
    """Raise what would have been raised of a connection that met nobody but itself."""
    if sock.getsockname() == sock.getpeername():
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
