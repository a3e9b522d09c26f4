"""Whether the program of a machine listens where its service says, and where it does instead."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ephemera.errors import DriverError
from ephemera.platform.dialing import SocketTo, dial
from ephemera.platform.drivers.base import ProcessStat
from ephemera.platform.machines.owner import Owner
from ephemera.platform.refusals import Refusal

#: A program on this computer takes a connection at once or refuses it.
_CONNECT_S = 2.0


async def listens(hosts: Sequence[str], port: int, socket_to: SocketTo) -> str:
    """Return the address at which something takes connections; empty where nothing does."""
    try:
        async with asyncio.timeout(_CONNECT_S):
            host, sock = await dial(hosts, port, socket_to)
    except (OSError, TimeoutError):
        return ""
    sock.close()
    return host


async def elsewhere(owner: Owner) -> list[str]:
    """Return the addresses at which a machine's programs listen, as far as can be seen."""
    try:
        return addresses(await owner.inside.ps())
    except (Refusal, DriverError):
        return []


def addresses(processes: Sequence[ProcessStat]) -> list[str]:
    """Return the addresses at which some processes take connections, each once, in order."""
    sockets = (one for process in processes for one in process.listen_sockets)
    return sorted({one.address for one in sockets if one.proto.startswith("tcp")})


def has_port(addresses: Sequence[str], port: int) -> bool:
    """Whether one of some addresses is at a port."""
    return any(one.rpartition(":")[2] == str(port) for one in addresses)


def not_listening(port: int, instead: Sequence[str]) -> tuple[str, str]:
    """Return what is said of a program that does not listen at a port, and what to do about it."""
    message = f"the app is not listening on 0.0.0.0:{port}"
    if not instead:
        return message, f"have it listen at 0.0.0.0:{port}, or change internal_port"
    said = f"{message}; it listens on {', '.join(instead[:5])}"
    if has_port(instead, port):
        return said, f"have it listen at 0.0.0.0:{port}: 127.0.0.1 is reached from inside only"
    return said, f"set internal_port to the port it listens on, or have it listen on {port}"
