"""Bytes from a client to a machine and back, as they are.

```
client ──► Incoming ──► Outgoing ──► machine
```

Whoever is slow slows the other one down: what cannot be sent on yet is not read. One may have
said all while the other still speaks; when one has gone, so has the other.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import cast

#: How much a client may send before its machine is up.
_EARLY_BYTES_MAX = 64 * 1024
#: Have the kernel reset a connection that is closed.
_NO_LINGER = struct.pack("ii", 1, 0)


class Side(asyncio.Protocol):
    """One of the two connections of a relay."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.other: Side | None = None
        #: Whether it has said all.
        self.has_ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        if self.other and self.other.transport:
            self.other.transport.write(data)

    def eof_received(self) -> bool:
        """Tell the other one that this one has said all; it may still be spoken to."""
        self.has_ended = True
        far = self.other
        if far is None:
            return True
        if far.has_ended or not (far.transport and far.transport.can_write_eof()):
            return False
        far.transport.write_eof()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio."""
        if self.other and self.other.transport:
            if exc:
                self.other.transport.abort()
            else:
                self.other.transport.close()

    def pause_writing(self) -> None:
        """See asyncio: what this one does not take yet, the other one may keep."""
        if self.other and self.other.transport:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        """See asyncio."""
        if self.other and self.other.transport:
            self.other.transport.resume_reading()


class Incoming(Side):
    """The connection of a client, for whom a machine is looked for.

    Args:
        connect: Returns the machine's side, connected; or cannot, and has said why.
        gone: Called when the connection has ended, however.
    """

    def __init__(
        self,
        connect: Callable[[asyncio.Transport], Awaitable[Side | None]],
        gone: Callable[[Incoming], None],
    ) -> None:
        super().__init__()
        self._connect = connect
        self._gone = gone
        self._early = bytearray()
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio."""
        super().connection_made(transport)
        self._task = asyncio.get_running_loop().create_task(self._begin())

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        if self.other:
            super().data_received(data)
            return
        self._early += data
        if len(self._early) > _EARLY_BYTES_MAX and self.transport:
            self.transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio."""
        if self._task:
            self._task.cancel()
        super().connection_lost(exc)
        self._gone(self)

    def reset(self) -> None:
        """Hang up so that nobody takes it for a proper end."""
        if self.transport:
            sock: socket.socket | None = self.transport.get_extra_info("socket")
            if sock:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            self.transport.abort()

    async def _begin(self) -> None:
        transport = self.transport
        assert transport
        far = await self._connect(transport)
        if far is None or far.transport is None:
            self.reset()
            return
        if transport.is_closing():
            far.transport.abort()
            return
        self.other, far.other = far, self
        far.transport.write(bytes(self._early))
        self._early.clear()
        transport.resume_reading()
        if self.has_ended:
            self.eof_received()
