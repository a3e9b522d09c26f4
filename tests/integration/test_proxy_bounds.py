"""What a client or an app may have of the proxy has an end: connections, seats, early answers."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress

import httpx2
import pytest

from ephemera.platform.proxy import engine, http1
from ephemera.platform.proxy.routing import Asked, ProxyRefusal
from tests.proxy_world import (
    FakeRouter,
    FakeSeat,
    closing,
    head_of,
    hello,
    proxy,
    run,
    still,
    until,
)

HEAD = b"GET / HTTP/1.1\r\nHost: demo.localhost\r\n\r\n"


def insecure() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    return context


def test_a_client_for_whom_there_is_no_room_is_hung_up_on_whatever_it_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http1, "_LINGER_S", 0.1)
    monkeypatch.setattr(engine, "_TOLD_MAX", 1)

    async def check() -> None:
        async with proxy(hello, tls=True, limit=1) as world:
            _, first = await world.connect()
            await until(lambda: len(world.engine.connections) == 1)
            for port, context in ((world.port, None), (world.tls_port, insecure())):
                reader, _ = await asyncio.open_connection("127.0.0.1", port, ssl=context)
                assert await asyncio.wait_for(reader.read(), 30)
                await until(lambda: not world.engine._sent_away)
            monkeypatch.setattr(http1, "_LINGER_S", 60.0)  # it is to be seen there
            told, _ = await world.connect()
            await until(lambda: len(world.engine._sent_away) == 1)
            hung_up_on, _ = await world.connect()
            with suppress(ConnectionError):
                assert not await asyncio.wait_for(hung_up_on.read(), 30)
            assert b" 503 " in await asyncio.wait_for(told.read(), 30)
            first.close()

    run(check())


def test_an_app_that_answers_early_without_end_is_given_up() -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"

    async def check() -> None:
        async with proxy(closing(early * 101 + b"HTTP/1.1 204 No Content\r\n\r\n")) as world:
            said = await world.get()
            assert b" 502 " in said
            assert b"the app sent 100 answers before its answer" in said
        async with proxy(closing(early * 99 + b"HTTP/1.1 204 No Content\r\n\r\n")) as world:
            assert b" 204 " in await world.get()

    run(check())


def test_early_answers_wait_for_a_client_that_does_not_read() -> None:
    sent = 0

    async def app(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await head_of(reader)
        while True:
            writer.write(b"HTTP/1.1 103 Early Hints\r\nlink: <%b>\r\n\r\n" % (b"a" * 50_000))
            await writer.drain()
            sent += 1

    async def check() -> None:
        async with proxy(app) as world:
            _, writer = await world.connect()
            writer.transport.pause_reading()  # type: ignore[attr-defined]  # it is one that reads
            writer.write(HEAD)
            await until(lambda: sent > 1)
            await still(lambda: sent)
            writer.transport.abort()

    run(check())


class SlowRouter(FakeRouter):
    """Finds a seat when it is told to."""

    def __init__(self) -> None:
        super().__init__(per_connection=True)
        self.asked_for = 0
        self.found = asyncio.Event()
        self.refusal: ProxyRefusal | None = None

    async def seat(self, asked: Asked) -> FakeSeat:
        self.asked_for += 1
        await self.found.wait()
        if self.refusal:
            raise self.refusal
        return await super().seat(asked)


def test_requests_that_come_at_once_share_the_seat_of_their_connection() -> None:
    async def check() -> None:
        router = SlowRouter()
        async with proxy(hello, router, tls=True) as world:
            url, host = f"https://127.0.0.1:{world.tls_port}/", {"Host": "demo.localhost"}
            async with httpx2.AsyncClient(http2=True, verify=False, trust_env=False) as http:
                await http.get(url, headers={"Host": "no.localhost"})  # so there is a connection
                both = [asyncio.ensure_future(http.get(url, headers=host)) for _ in range(2)]
                await until(lambda: router.asked_for == 1)
                router.found.set()
                assert {(await one).status_code for one in both} == {200}
                assert [seat.held for seat in router.seats] == [True]
            await until(world.released)

    run(check())


def test_a_seat_that_comes_when_its_connection_has_gone_is_given_back() -> None:
    async def check() -> None:
        router = SlowRouter()
        async with proxy(hello, router) as world:
            _, writer = await world.connect()
            writer.write(HEAD)
            await until(lambda: router.asked_for == 1)
            writer.transport.abort()
            await until(lambda: not world.engine.connections)
            router.found.set()
            await until(world.released)

    run(check())


def test_what_refuses_one_request_of_a_connection_refuses_no_later_one() -> None:
    async def check() -> None:
        router = SlowRouter()
        router.refusal = ProxyRefusal(503, "there is no machine")
        router.found.set()
        async with proxy(hello, router) as world:
            reader, writer = await world.connect()
            writer.write(HEAD)
            assert b" 503 " in await reader.readuntil(b"\r\n\r\n")
            router.refusal = None
            writer.write(HEAD)
            await asyncio.wait_for(reader.readuntil(b"hello"), 30)
            writer.close()

    run(check())
