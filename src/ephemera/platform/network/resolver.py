"""The resolver of machines: at `fdaa::3`, port 53, in the router.

```
question ──► of .internal? ──yes──► `names`
               │ no
               ├─ a closed network: refused
               └─ else whoever answers names for this computer, see `upstream`
```

Who asks is known by his address, which the router's rules vouch for. Nothing that a machine sends
ends the resolver, or takes more of the server than `PER_SECOND_MAX` questions of its network do:
what is more is dropped, as on a busy line, and asked again.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, cast

from ephemera.platform.network import upstream
from ephemera.platform.network.names import Directory, Names
from ephemera.platform.network.rules import DNS_PORT

if TYPE_CHECKING:
    from types import ModuleType

    from ephemera.platform.network import answers

_log = logging.getLogger(__name__)

#: A question is a name and a few options.
QUESTION_BYTES_MAX = 1232
#: Of one network. Each takes the server's loop 0.2 ms.
PER_SECOND_MAX = 1000
#: Of one network, that wait for somebody else's answer.
_FORWARDED_MAX = 64
#: Of one network.
_CONNECTIONS_MAX = 32
#: How long a connection may say nothing.
_SILENCE_MAX_S = 10.0


class Router(Protocol):
    """What the resolver needs of the router."""

    @property
    def services(self) -> Sequence[str]:
        """The addresses to listen at."""
        ...

    def listen(self, host: str, port: int, kind: socket.SocketKind) -> socket.socket:
        """Return a socket in the router."""
        ...

    def network_of(self, address: str) -> str:
        """Return the prefix of the network that an address is of; empty where of none."""
        ...

    def is_closed(self, network: str) -> bool:
        """Whether machines of a network may not reach the world outside."""
        ...


class _Share:
    """What one network has of the resolver at the moment."""

    def __init__(self) -> None:
        self.left = float(PER_SECOND_MAX)
        self.counted_at = 0.0
        self.forwarded = 0
        self.connections = 0

    def take(self, now: float) -> bool:
        """Take one question; return whether there was one left."""
        passed = now - self.counted_at
        self.left = min(PER_SECOND_MAX, self.left + passed * PER_SECOND_MAX)
        self.counted_at = now
        if self.left < 1:
            return False
        self.left -= 1
        return True


class Resolver:
    """Answers what machines ask."""

    def __init__(self, router: Router, directory: Directory) -> None:
        self._router = router
        self._directory = directory
        self._names = Names(directory, ())
        self._shares: dict[str, _Share] = {}
        self._listening: list[asyncio.BaseTransport | asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._answers: Any = None

    async def open(self) -> None:
        """Begin to answer.

        Raises:
            OSError: somebody else answers there.
        """
        self._answers = await asyncio.to_thread(_imported)
        self._names = Names(self._directory, self._router.services[:1])
        loop = asyncio.get_running_loop()
        for address in self._router.services:
            datagrams = self._router.listen(address, DNS_PORT, socket.SOCK_DGRAM)
            transport, _ = await loop.create_datagram_endpoint(
                lambda: _Datagrams(self), sock=datagrams
            )
            stream = self._router.listen(address, DNS_PORT, socket.SOCK_STREAM)
            server = await asyncio.start_server(self._serve, sock=stream)
            self._listening += [transport, server]

    async def close(self) -> None:
        """Answer no more. Repeating is safe."""
        for one in self._listening:
            one.close()
        self._listening.clear()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def hear(self, data: bytes, address: str, reply: asyncio.DatagramTransport, to: Any) -> None:
        """Answer a datagram, now or later."""
        share = self._share(address)
        if len(data) > QUESTION_BYTES_MAX or not share.take(asyncio.get_running_loop().time()):
            return
        asked = self._answers.read(data)
        now = self._now(asked, address)
        if now is not None:
            reply.sendto(now, to)
        elif asked is not None:
            task = asyncio.get_running_loop().create_task(
                self._later(asked, data, share, reply, to)
            )
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _now(self, asked: answers.Asked | bytes | None, address: str) -> bytes | None:
        """Return the answer, where it is known here."""
        if asked is None or isinstance(asked, bytes):
            return asked
        network = self._router.network_of(address)
        if network and asked.is_ours:
            return asked.answer(self._names, network)
        if not network or self._router.is_closed(network):
            return asked.closed()
        return None

    async def _later(
        self,
        asked: answers.Asked,
        data: bytes,
        share: _Share,
        reply: asyncio.DatagramTransport,
        to: Any,
    ) -> None:
        answer = await self._asked_of_others(asked, data, share, tcp=False)
        if not reply.is_closing():
            reply.sendto(answer, to)

    async def _asked_of_others(
        self, asked: answers.Asked, data: bytes, share: _Share, *, tcp: bool
    ) -> bytes:
        if share.forwarded >= _FORWARDED_MAX:
            return asked.failed()
        share.forwarded += 1
        try:
            return await upstream.ask(data, tcp=tcp)
        except upstream.NoAnswer:
            return asked.failed()
        finally:
            share.forwarded -= 1

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer what comes over a connection, one question after the other."""
        address = writer.get_extra_info("peername")[0]
        share = self._share(address)
        share.connections += 1
        try:
            if share.connections <= _CONNECTIONS_MAX:
                while answer := await self._next(reader, address, share):
                    writer.write(len(answer).to_bytes(2, "big") + answer)
                    await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            pass  # it has gone, or says nothing
        finally:
            share.connections -= 1
            writer.close()

    async def _next(
        self, reader: asyncio.StreamReader, address: str, share: _Share
    ) -> bytes | None:
        async with asyncio.timeout(_SILENCE_MAX_S):
            size = int.from_bytes(await reader.readexactly(2), "big")
            if size > QUESTION_BYTES_MAX:
                return None
            data = await reader.readexactly(size)
        if not share.take(asyncio.get_running_loop().time()):
            return None
        asked = self._answers.read(data, tcp=True)
        now = self._now(asked, address)
        if now is not None or asked is None:
            return now
        return await self._asked_of_others(asked, data, share, tcp=True)

    def _share(self, address: str) -> _Share:
        network = self._router.network_of(address)
        return self._shares.setdefault(network, _Share())


class _Datagrams(asyncio.DatagramProtocol):
    """The questions that come as datagrams."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note where answers go."""
        self._transport = cast("asyncio.DatagramTransport", transport)  # asyncio's is not one

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        """Answer one."""
        assert self._transport
        try:
            self._resolver.hear(data, addr[0], self._transport, addr)
        except Exception:  # noqa: BLE001 - whatever it was, the next one is answered
            _log.exception("a question of %s was not answered: this is a defect", addr[0])


def _imported() -> ModuleType:
    return importlib.import_module("ephemera.platform.network.answers")
