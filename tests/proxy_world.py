"""The engine of the proxy between real sockets, with a router that does as it is told.

```python
async with proxy(app) as world:
    answer = await world.ask(b"GET / HTTP/1.1\r\nHost: demo.localhost\r\n\r\n")
```

`app` is what listens in "the machine": it gets the streams of each connection.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop

from ephemera.platform.proxy.engine import Engine
from ephemera.platform.proxy.routing import ALPN, Asked, ProxyRefusal
from ephemera.platform.proxy.streams import Listener
from ephemera.wire.services import HttpOptions
from tests.registry_access import certify

App = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

#: Nothing in these tests takes long, unless something is broken.
_PATIENCE_S = 30.0


def run(test: Coroutine[Any, Any, None]) -> None:
    """Run a test in the loop that the server runs in."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(asyncio.wait_for(test, 50))


@dataclass(eq=False)
class FakeSeat:
    """A place at a machine that counts how often it is taken and given back."""

    machine_id: str
    addresses: list[tuple[str, int]]
    http_options: HttpOptions
    headers: list[tuple[str, str]] = field(default_factory=list)
    app_id: str = "app"
    region: str = "local"
    held: bool = True

    def socket(self, host: str) -> socket.socket | None:
        """Any socket will do."""
        return None

    def holds(self) -> bool:
        """Whether the machine still is one to send requests to."""
        return self.held

    def release(self) -> None:
        """Give it back."""
        self.held = False


@dataclass
class FakeRouter:
    """Sends every request to one machine, or wherever `choose` says."""

    port: int = 0
    options: HttpOptions = field(default_factory=HttpOptions)
    force_https: bool = False
    app_id: str = "app"
    per_connection: bool = False
    asked: list[Asked] = field(default_factory=list)
    seats: list[FakeSeat] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    choose: Callable[[Asked], FakeSeat] | None = None
    tls_context: ssl.SSLContext | None = None

    @property
    def http_options(self) -> HttpOptions:
        """Of the entrance."""
        return self.options

    def entrance(self, host: str, port: int, *, tls: bool, client: str = "") -> FakeRouter:
        """Every name but one that begins with `no` is an app."""
        if host.startswith("no"):
            raise ProxyRefusal(404, f"there is no app '{host}'", hint="`ephemera apps list`")
        return self

    async def seat(self, asked: Asked) -> FakeSeat:
        """Return a seat, and remember both."""
        self.asked.append(asked)
        seat = self.choose(asked) if self.choose else self.machine("m1", self.port)
        self.seats.append(seat)
        return seat

    def machine(self, machine_id: str, port: int) -> FakeSeat:
        """Return a seat at a machine of this computer."""
        if machine_id in {one for asked in self.asked[-1:] for one in asked.avoid}:
            raise ProxyRefusal(503, "there is no other machine", code="PR01")
        place = [("127.0.0.1", port)]
        return FakeSeat(machine_id, place, self.options)

    def tls(self) -> ssl.SSLContext:
        """Not asked for: the test brings its own listener."""
        assert self.tls_context
        return self.tls_context

    def say(self, app_id: str, machine_id: str, region: str, level: str, message: str) -> None:
        """Remember a line."""
        self.said.append(f"{app_id} {machine_id} {level} {message}")


@dataclass
class World:
    """What a test sees."""

    engine: Engine
    router: FakeRouter
    port: int
    tls_port: int

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect as a client does."""
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def ask(self, request: bytes) -> bytes:
        """Send bytes, and return all that comes until the proxy hangs up."""
        reader, writer = await self.connect()
        writer.write(request)
        try:
            return await asyncio.wait_for(reader.read(), _PATIENCE_S)
        finally:
            writer.close()

    async def get(self, path: str = "/", *headers: str, host: str = "demo.localhost") -> bytes:
        """Ask once, on a connection of its own."""
        lines = [f"GET {path} HTTP/1.1", f"Host: {host}", "Connection: close", *headers, "", ""]
        return await self.ask("\r\n".join(lines).encode())

    def released(self) -> bool:
        """Whether no seat is held."""
        return not any(seat.held for seat in self.router.seats)


PLAIN = Listener(80, False, 4281)


@asynccontextmanager
async def proxy(
    app: App | None = None,
    router: FakeRouter | None = None,
    *,
    plain: Listener = PLAIN,
    tls: bool = False,
    limit: int = 100,
) -> AsyncIterator[World]:
    """Have a proxy before an app."""
    router = router or FakeRouter()
    loop = asyncio.get_running_loop()
    async with listening(app or hello) as port:
        router.port = router.port or port
        engine = Engine(router, region="local", tls_port=4443, connections_max=limit)
        servers = [await loop.create_server(engine.protocol(plain), "127.0.0.1", 0)]
        if tls:
            listener = Listener(443, True, 4443)
            servers.append(
                await loop.create_server(engine.protocol(listener), "127.0.0.1", 0, ssl=_context())
            )
        try:
            ports = [server.sockets[0].getsockname()[1] for server in servers]
            yield World(engine, router, ports[0], ports[-1])
        finally:
            await engine.close()
            for server in servers:
                server.close()


@asynccontextmanager
async def listening(app: App) -> AsyncIterator[int]:
    """Have something listen, as a program in a machine would; its port."""

    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await app(reader, writer)
        writer.close()

    server = await asyncio.start_server(guarded, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def _context() -> ssl.SSLContext:
    """Return what TLS is spoken with; the certificate is for `localhost`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(list(ALPN))
    with tempfile.TemporaryDirectory() as folder:
        made = certify(Path(folder))
        context.load_cert_chain(made.certificate, made.key)
    return context


async def until(true: Callable[[], bool]) -> None:
    """Wait for something to be so."""
    async with asyncio.timeout(_PATIENCE_S):
        while not true():  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.005)


async def still(count: Callable[[], int]) -> None:
    """Wait until nothing moves any more."""
    before = -1
    while before != count():
        before = count()
        await asyncio.sleep(0.2)


async def head_of(reader: asyncio.StreamReader) -> bytes:
    """Read a request up to its body."""
    return await reader.readuntil(b"\r\n\r\n")


async def hello(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer every request the same, on connections that are kept."""
    while True:
        await head_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello")


def answering(answer: bytes) -> App:
    """Return an app that answers every request with these bytes, on connections that are kept."""

    async def app(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await head_of(reader)
            writer.write(answer)

    return app


def closing(answer: bytes) -> App:
    """Return an app that answers one request with these bytes, then hangs up."""

    async def app(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        writer.write(answer)

    return app


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer with the request as it came, head and body."""
    while True:
        head = await head_of(reader)
        body = await _body(reader, head.lower())
        said = head + body
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(said), said))


async def _body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    for line in head.split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return await reader.readexactly(int(line.partition(b":")[2]))
    if b"transfer-encoding: chunked" in head:
        return await reader.readuntil(b"0\r\n\r\n")
    return b""
