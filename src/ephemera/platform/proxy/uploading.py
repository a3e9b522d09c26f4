"""The body of a request on its way to a machine.

What was sent is kept until the answer begins, up to `KEPT_BYTES_MAX`: the answer may be that
another machine is to get the request, or a connection may turn out to be dead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ephemera.platform.proxy.headers import lines, trailers
from ephemera.platform.proxy.machine import MachineConnection
from ephemera.platform.proxy.routing import ProxyRefusal
from ephemera.platform.proxy.streams import Disconnected, Pipe

#: Fly's limit for bodies of requests that can be replayed.
KEPT_BYTES_MAX = 1024 * 1024


class Upload:
    """Sends one body, once for each connection that the request is tried on.

    Args:
        chunked: Whether its length is not known before its end.
        touch: Called whenever a piece of it passed.
    """

    def __init__(self, body: Pipe, touch: Callable[[], None], *, chunked: bool) -> None:
        self._body = body
        self._touch = touch
        self._chunked = chunked
        self._kept: list[bytes] | None = []
        self._kept_bytes = 0
        self._pump: asyncio.Task[None] | None = None
        #: Why the client's body cannot be read to its end.
        self.failure: Disconnected | ProxyRefusal | None = None
        #: Whether all of it was sent on the present connection.
        self.finished = False

    @property
    def repeatable(self) -> bool:
        """Whether it can be sent once more."""
        return self._kept is not None

    def begin(self, connection: MachineConnection) -> None:
        """Send it, from its beginning. What has not come yet is sent as it comes."""
        assert self._kept is not None
        self.finished = False
        for chunk in self._kept:
            self._write(connection, chunk)
        while chunk := self._body.take():
            self._keep(chunk)
            self._write(connection, chunk)
        if self._body.finished:
            self._finish(connection)
        else:
            self._pump = asyncio.create_task(self._send_rest(connection))

    def stop(self) -> None:
        """Send no more on this connection."""
        if self._pump:
            self._pump.cancel()
            self._pump = None

    def forget(self) -> None:
        """Keep nothing any more: it will not be sent again."""
        self._kept = None

    async def _send_rest(self, connection: MachineConnection) -> None:
        try:
            while chunk := await self._body.read():
                self._keep(chunk)
                self._touch()
                self._write(connection, chunk)
                await connection.drain()
        except (Disconnected, ProxyRefusal) as error:
            self.failure = error
            connection.abort()  # or the machine would take half a body for a whole one
        else:
            self._finish(connection)

    def _finish(self, connection: MachineConnection) -> None:
        self.finished = True
        if self._chunked:
            connection.write(b"0\r\n%b\r\n" % lines(trailers(self._body.trailers)))

    def _write(self, connection: MachineConnection, chunk: bytes) -> None:
        if self._chunked:
            chunk = b"%x\r\n%b\r\n" % (len(chunk), chunk)
        connection.write(chunk)

    def _keep(self, chunk: bytes) -> None:
        if self._kept is None:
            return
        self._kept_bytes += len(chunk)
        if self._kept_bytes > KEPT_BYTES_MAX:
            self._kept = None
        else:
            self._kept.append(chunk)
