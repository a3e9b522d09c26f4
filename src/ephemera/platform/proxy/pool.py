"""Connections to machines that are kept for the next request.

A program may hang up on an idle connection at any moment, also in the moment in which a request
is sent on it. So none is kept for long, and a request that may not be repeated gets one that
was used a moment ago, or a fresh one: that costs a tenth of a millisecond on one computer.
"""

from __future__ import annotations

import asyncio
import errno
from collections import defaultdict

from ephemera.errors import EphemeraError
from ephemera.platform.dialing import dial
from ephemera.platform.proxy.machine import MachineConnection
from ephemera.platform.proxy.routing import Seat

#: gunicorn hangs up after 2 s, uvicorn after 5.
_IDLE_MAX_S = 1.5
#: For requests that may not be repeated.
_FRESH_MAX_S = 0.5
#: Of one machine. More are closed when they are given back.
_IDLE_MAX = 1024
#: A machine on this computer answers at once or not at all, unless it is very busy.
_CONNECT_S = 5.0

_Key = tuple[str, tuple[str, int]]


class NotListening(EphemeraError):
    """A machine takes no connection."""


class Pool:
    """Connects, and keeps connections."""

    def __init__(self) -> None:
        #: In the order in which they were given back; a dict, of which any is quickly taken out.
        self._idle: defaultdict[_Key, dict[MachineConnection, None]] = defaultdict(dict)
        self._keys: dict[MachineConnection, _Key] = {}

    async def connect(self, seat: Seat, *, repeatable: bool, fresh: bool) -> MachineConnection:
        """Return a connection to the machine of a seat, an idle one if there is.

        Args:
            repeatable: Whether it does no harm if the machine hangs up at the wrong moment.
            fresh: Whether it must be a new one.

        Raises:
            NotListening: none of its addresses takes one.
        """
        if not fresh:
            for address in seat.addresses:
                found = self._take((seat.machine_id, address), repeatable=repeatable)
                if found:
                    return found
        failures: list[str] = []
        for address in seat.addresses:
            try:
                async with asyncio.timeout(_CONNECT_S):
                    return await self._connect(seat, address)
            except TimeoutError:
                failures.append("no answer")
            except OSError as error:
                failures.append(_reason(error))
        raise NotListening(", ".join(dict.fromkeys(failures)) or "it has no address")

    def keep(self, connection: MachineConnection) -> None:
        """Keep a connection for the next request, if it is good for one."""
        key = self._keys.get(connection)
        if key is None or not connection.reusable:
            connection.close()
            return
        idle = self._idle[key]
        if len(idle) >= _IDLE_MAX:
            connection.close()
            return
        connection.idle_since = asyncio.get_running_loop().time()
        idle[connection] = None

    def sweep(self) -> None:
        """Close what was idle for too long."""
        oldest = asyncio.get_running_loop().time() - _IDLE_MAX_S
        for idle in list(self._idle.values()):
            for connection in [one for one in idle if one.idle_since < oldest]:
                del idle[connection]
                connection.close()

    def close(self) -> None:
        """Hang up on all machines."""
        for connection in list(self._keys):
            connection.abort()

    @property
    def empty(self) -> bool:
        """Whether no connection is open."""
        return not self._keys

    def _take(self, key: _Key, *, repeatable: bool) -> MachineConnection | None:
        oldest = asyncio.get_running_loop().time() - (_IDLE_MAX_S if repeatable else _FRESH_MAX_S)
        idle = self._idle.get(key)
        while idle:
            connection, _ = idle.popitem()
            if connection.reusable and connection.idle_since >= oldest:
                return connection
            connection.close()
        return None

    async def _connect(self, seat: Seat, address: tuple[str, int]) -> MachineConnection:
        loop = asyncio.get_running_loop()
        host, port = address
        _, sock = await dial([host], port, seat.socket)
        try:
            _, connection = await loop.create_connection(MachineConnection, sock=sock)
        except BaseException:
            sock.close()
            raise
        key = (seat.machine_id, address)
        self._keys[connection] = key
        connection.closed.add_done_callback(lambda _: self._forget(connection, key))
        return connection

    def _forget(self, connection: MachineConnection, key: _Key) -> None:
        self._keys.pop(connection, None)
        idle = self._idle.get(key)
        if idle:
            idle.pop(connection, None)
        if not idle:
            self._idle.pop(key, None)


def _reason(error: OSError) -> str:
    if error.errno in (errno.ECONNREFUSED, errno.ECONNRESET):
        return "connection refused"
    return (error.strerror or str(error)).lower()
