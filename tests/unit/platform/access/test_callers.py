"""Programs in machines have so many connections to the API, and so long for a head."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, closing, suppress
from dataclasses import dataclass
from typing import Any

import pytest
from uvicorn.config import Config
from uvicorn.server import ServerState

from ephemera.platform.access import callers
from ephemera.platform.access.callers import Callers

REQUEST = b"GET / HTTP/1.1\r\nhost: it\r\n\r\n"
TIMEOUT_S = 30.0


async def fine(_scope: Any, _receive: Any, send: Any) -> None:
    """Answer everything with 204."""
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@dataclass
class Line:
    """A connection, seen from the machine."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self, data: bytes) -> str:
        """Send something, and return the first line of what comes back."""
        self.writer.write(data)
        return (await self.reader.readline()).decode().strip()


@dataclass
class Platform:
    """What listens in a private network, as loopback plays it."""

    port: int
    state: ServerState
    stack: AsyncExitStack

    async def connect(self, source: str = "127.0.0.1") -> Line:
        """Return a connection from an address of loopback."""
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.port, local_addr=(source, 0)
        )
        self.stack.enter_context(closing(writer))
        return Line(reader, writer)

    async def until_open(self, count: int) -> None:
        """Return when so many connections are open."""
        while len(self.state.connections) != count:  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.001)


Scene = Callable[[Platform], Awaitable[None]]


def play(scene: Scene) -> None:
    async def whole() -> None:
        config = Config(fine, lifespan="off", log_config=None, access_log=False)
        config.load()
        state = ServerState()
        # 127.0.0.x is in the network `0`, 127.0.1.x in `1`
        made = Callers(config, state, lambda address: address.split(".")[2], severable=False)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(made.through_network, "127.0.0.1", 0)
        async with asyncio.timeout(TIMEOUT_S), AsyncExitStack() as stack:
            stack.callback(server.close)
            await scene(Platform(server.sockets[0].getsockname()[1], state, stack))

    asyncio.run(whole())


def test_one_address_has_so_many_connections_and_others_have_theirs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(callers, "MACHINE_MAX", 2)

    async def scene(platform: Platform) -> None:
        held = [await platform.connect() for _ in range(2)]
        await platform.until_open(2)
        surplus = await platform.connect()
        assert await surplus.ask(REQUEST) == "HTTP/1.1 503 Service Unavailable"
        assert b"127.0.0.1 has 2 connections already" in await surplus.reader.read()
        assert "204" in await (await platform.connect("127.0.0.2")).ask(REQUEST)
        assert "204" in await held[0].ask(REQUEST)
        held[0].writer.close()
        await platform.until_open(2)
        assert "204" in await (await platform.connect()).ask(REQUEST)

    play(scene)


def test_one_network_has_so_many_connections_and_others_have_theirs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(callers, "NETWORK_MAX", 2)

    async def scene(platform: Platform) -> None:
        for number in (2, 3):
            await platform.connect(f"127.0.0.{number}")
        await platform.until_open(2)
        surplus = await platform.connect("127.0.0.4")
        assert "503" in await surplus.ask(REQUEST)
        assert b"network 0 has 2" in await surplus.reader.read()
        assert "204" in await (await platform.connect("127.0.1.1")).ask(REQUEST)

    play(scene)


def test_who_is_sent_away_is_not_told_where_too_many_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callers, "MACHINE_MAX", 0)
    monkeypatch.setattr(callers, "_TOLD_MAX", 0)

    async def hung_up(platform: Platform) -> None:
        line = await platform.connect()
        with suppress(ConnectionError):
            assert await line.reader.read() == b""

    play(hung_up)


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nhost: it\r\n"])
def test_a_head_that_does_not_come_whole_is_not_waited_for(
    sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callers, "HEAD_S", 0.05)

    async def scene(platform: Platform) -> None:
        line = await platform.connect()
        assert await line.ask(sent) == "HTTP/1.1 408 Request Timeout"
        await platform.until_open(0)

    play(scene)


def test_a_second_head_that_does_not_come_whole_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scene(platform: Platform) -> None:
        line = await platform.connect()
        assert "204" in await line.ask(REQUEST)
        while await line.reader.readline() != b"\r\n":
            pass
        monkeypatch.setattr(callers, "HEAD_S", 0.05)
        assert await line.ask(b"GET / HTTP") == "HTTP/1.1 408 Request Timeout"

    play(scene)


def test_a_head_without_an_end_is_not_taken() -> None:
    async def scene(platform: Platform) -> None:
        line = await platform.connect()
        line.writer.write(b"GET / HTTP/1.1\r\nx: ")
        reading = asyncio.create_task(line.reader.readline())
        while not reading.done():
            line.writer.write(bytes(b"x" * 10_000))
            await asyncio.sleep(0)
        assert await reading == b"HTTP/1.1 431 Request Header Fields Too Large\r\n"

    play(scene)
