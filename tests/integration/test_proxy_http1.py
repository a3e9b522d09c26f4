"""The proxy passes HTTP/1.1 on as it is meant, with real sockets on both sides."""

from __future__ import annotations

import asyncio

import pytest
from websockets.asyncio.client import connect as connect_websocket
from websockets.asyncio.server import serve as serve_websocket

from ephemera.wire.services import HttpOptions
from tests.proxy_world import (
    FakeRouter,
    answering,
    closing,
    echo,
    head_of,
    hello,
    proxy,
    run,
    still,
)

GET = b"GET / HTTP/1.1\r\nHost: demo.localhost\r\n"


def test_an_answer_comes_back_with_the_headers_of_the_proxy() -> None:
    async def check() -> None:
        async with proxy() as world:
            answer = await world.get()
            assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
            assert answer.endswith(b"\r\n\r\nhello")
            for header in (b"server: Ephemera/", b"via: 1.1 ephemera", b"fly-request-id: "):
                assert header in answer
            assert world.released()

    run(check())


def test_the_machine_gets_the_path_the_host_and_who_asks() -> None:
    async def check() -> None:
        async with proxy(echo) as world:
            told = (await world.get("/a/b?c=%20d", host="demo.localhost:4281")).lower()
            assert b"get /a/b?c=%20d http/1.1\r\nhost: demo.localhost:4281\r\n" in told
            assert b"x-forwarded-for: 127.0.0.1\r\n" in told
            assert b"fly-client-ip: 127.0.0.1\r\n" in told
            assert b"x-forwarded-port: 4281\r\n" in told
            assert world.router.asked[0].host == "demo.localhost"
            assert world.router.asked[0].client == "127.0.0.1"

    run(check())


def test_requests_and_connections_to_machines_are_carried_on_one_connection_each() -> None:
    connections = 0

    async def app(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await hello(reader, writer)

    async def check() -> None:
        async with proxy(app) as world:
            reader, writer = await world.connect()
            for _ in range(5):
                writer.write(GET + b"\r\n")
                await reader.readuntil(b"\r\n\r\nhello")
            writer.close()
            assert connections == 1

    run(check())


def test_requests_that_come_at_once_are_answered_in_their_order() -> None:
    async def check() -> None:
        async with proxy(echo) as world:
            reader, writer = await world.connect()
            paths = [b"/%d" % number for number in range(40)]
            writer.write(b"".join(GET.replace(b"/ ", path + b" ") + b"\r\n" for path in paths))
            for path in paths:
                assert b"GET %b HTTP" % path in await reader.readuntil(
                    b"\r\n\r\nGET %b HTTP" % path
                )
            writer.close()

    run(check())


@pytest.mark.parametrize(
    ("sent", "framed"),
    [
        (b"Content-Length: 5\r\n\r\nhello", b"content-length: 5\r\n\r\nhello"),
        (
            b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n",
            b"transfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        ),
        (b"\r\n", b"content-length: 0\r\n\r\n"),
    ],
)
def test_bodies_of_requests_arrive(sent: bytes, framed: bytes) -> None:
    async def check() -> None:
        async with proxy(echo) as world:
            request = b"POST / HTTP/1.1\r\nHost: demo.localhost\r\nConnection: close\r\n"
            assert (await world.ask(request + sent)).endswith(framed)

    run(check())


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc", b"abc"),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", b"until the end"),
        (b"HTTP/1.0 200 OK\r\nserver: old\r\n\r\nold", b"old"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", b"abc"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"HTTP/1.1 304 Not Modified\r\ncontent-length: 10\r\n\r\n", b""),
        (b"HTTP/1.1 299 \r\ncontent-length: 1\r\n\r\nx", b"x"),
    ],
)
def test_answers_come_whole_however_they_are_framed(answer: bytes, body: bytes) -> None:
    async def check() -> None:
        async with proxy(closing(answer)) as world:
            got = await world.get()
            head, _, rest = got.partition(b"\r\n\r\n")
            assert head.split(b" ")[1] == answer.split(b" ")[1]
            if b"chunked" in head:
                rest = (
                    rest.partition(b"\r\n")[2].partition(b"\r\n")[0]
                    if rest != b"0\r\n\r\n"
                    else b""
                )
            assert rest == body

    run(check())


def test_http_1_0_is_answered_without_chunks() -> None:
    chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"

    async def check() -> None:
        async with proxy(answering(chunked)) as world:
            answer = await world.ask(b"GET / HTTP/1.0\r\nHost: demo.localhost\r\n\r\n")
            assert answer.endswith(b"\r\n\r\nabc")
            assert b"transfer-encoding" not in answer

    run(check())


def test_head_has_the_length_and_no_body_and_the_connection_is_kept() -> None:
    async def check() -> None:
        async with proxy(answering(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")) as world:
            reader, writer = await world.connect()
            for _ in range(3):
                writer.write(b"HEAD / HTTP/1.1\r\nHost: demo.localhost\r\n\r\n")
                assert b"content-length: 1000" in await reader.readuntil(b"\r\n\r\n")
            writer.close()

    run(check())


def test_trailers_are_passed_on_both_ways() -> None:
    got = b""

    async def app(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal got
        await head_of(reader)
        got = await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nsum: 1\r\n\r\n"
        )

    async def check() -> None:
        async with proxy(app) as world:
            request = b"POST / HTTP/1.1\r\nHost: demo.localhost\r\nConnection: close\r\n"
            request += (
                b"Transfer-Encoding: chunked\r\n\r\n1\r\ny\r\n0\r\nSum: 2\r\nFly-Region: x\r\n\r\n"
            )
            answer = await world.ask(request)
            assert answer.endswith(b"1\r\nx\r\n0\r\nsum: 1\r\n\r\n")
            assert got == b"1\r\ny\r\n0\r\nsum: 2\r\n\r\n"

    run(check())


def test_what_comes_before_an_answer_is_passed_on_in_time() -> None:
    async def app(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert b"expect: 100-continue" in (await head_of(reader)).lower()
        writer.write(b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n")
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert await reader.readexactly(5) == b"hello"
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

    async def check() -> None:
        async with proxy(app) as world:
            reader, writer = await world.connect()
            writer.write(b"POST / HTTP/1.1\r\nHost: demo.localhost\r\nContent-Length: 5\r\n")
            writer.write(b"Expect: 100-continue\r\n\r\n")
            assert b"103 Early Hints\r\nlink: </a.css>" in await reader.readuntil(b"\r\n\r\n")
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(b"hello")
            assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
            writer.close()

    run(check())


def test_a_client_that_was_not_told_to_go_on_is_hung_up_on_after_its_answer() -> None:
    async def check() -> None:
        async with proxy(
            answering(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno")
        ) as world:
            request = b"POST / HTTP/1.1\r\nHost: demo.localhost\r\nContent-Length: 5\r\n"
            answer = await world.ask(request + b"Expect: 100-continue\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 403 ")
            assert b"connection: close\r\n" in answer
            assert answer.endswith(b"\r\n\r\nno")

    run(check())


def test_pieces_of_an_answer_arrive_as_they_are_sent() -> None:
    async def app(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
        await told.wait()
        writer.write(b"data: 1\n\n")
        await told_again.wait()

    told, told_again = asyncio.Event(), asyncio.Event()

    async def check() -> None:
        async with proxy(app, FakeRouter(options=HttpOptions(compress=True))) as world:
            reader, writer = await world.connect()
            writer.write(GET + b"Accept-Encoding: gzip\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            told.set()
            await reader.readuntil(b"data: 1\n\n")
            told_again.set()
            writer.close()

    run(check())


def test_a_slow_client_holds_up_the_machine() -> None:
    piece, sent = bytes(64 * 1024), 0

    async def app(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await head_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (1000 * len(piece)))
        for _ in range(1000):
            writer.write(piece)
            await writer.drain()
            sent += len(piece)

    async def check() -> None:
        async with proxy(app) as world:
            reader, writer = await world.connect()
            writer.write(GET + b"Connection: close\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            await still(lambda: sent)
            assert sent < 500 * len(piece)
            assert len(await reader.read()) == 1000 * len(piece)
            writer.close()

    run(check())


def test_a_slow_machine_holds_up_the_client() -> None:
    async def app(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        await told.wait()
        while await reader.read(1024 * 1024):
            pass

    told = asyncio.Event()

    async def check() -> None:
        async with proxy(app) as world:
            _, writer = await world.connect()
            size = 64 * 1024 * 1024
            writer.write(b"POST / HTTP/1.1\r\nHost: demo.localhost\r\n")
            writer.write(b"Content-Length: %d\r\n\r\n" % size)
            writer.write(bytes(size))
            transport = writer.transport
            await still(transport.get_write_buffer_size)
            assert transport.get_write_buffer_size() > size // 2
            told.set()
            await writer.drain()
            writer.close()

    run(check())


def test_a_client_that_leaves_frees_the_machine_at_once() -> None:
    left = asyncio.Event()

    async def app(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        arrived.set()
        assert await reader.read() == b""
        left.set()

    arrived = asyncio.Event()

    async def check() -> None:
        async with proxy(app) as world:
            _, writer = await world.connect()
            writer.write(GET + b"\r\n")
            await arrived.wait()
            writer.close()
            await left.wait()
            assert world.released()

    run(check())


def test_an_app_that_hangs_up_in_the_middle_breaks_the_answer_off() -> None:
    async def check() -> None:
        half = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"
        async with proxy(closing(half)) as world:
            assert (await world.get()).endswith(b"\r\n\r\nhalf")
        chunks = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n"
        async with proxy(closing(chunks)) as world:
            assert (await world.get()).endswith(b"4\r\nhalf\r\n")

    run(check())


def test_a_connection_that_turns_out_dead_is_no_fault_of_the_client() -> None:
    served = 0

    async def app(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        await head_of(reader)
        served += 1
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello")
        await head_of(reader)  # and hangs up without an answer

    async def check() -> None:
        async with proxy(app) as world:
            reader, writer = await world.connect()
            for count in (1, 2, 3):
                writer.write(GET + b"\r\n")
                await reader.readuntil(b"\r\n\r\nhello")
                assert served == count
            writer.write(GET.replace(b"GET", b"POST") + b"\r\n")  # may not be repeated
            assert b" 502 " in await reader.readuntil(b"\r\n")
            writer.close()

    run(check())


def test_web_sockets_are_passed_through() -> None:
    async def check() -> None:
        async with serve_websocket(_shout, "127.0.0.1", 0) as app:
            port = next(iter(app.sockets)).getsockname()[1]
            async with proxy(router=FakeRouter(port=port)) as world:
                url = f"ws://127.0.0.1:{world.port}/chat"
                async with connect_websocket(url) as client:
                    for text in ("a", "b" * 300_000):
                        await client.send(text)
                        assert await client.recv() == text.upper()
                    assert not world.released()
                    await client.close()
                    assert client.close_code == 1000

    async def _shout(socket: object) -> None:
        async for message in socket:  # type: ignore[attr-defined]
            await socket.send(message.upper())  # type: ignore[attr-defined]

    run(check())


def test_a_wish_for_another_protocol_that_is_not_met_changes_nothing() -> None:
    async def check() -> None:
        async with proxy(echo) as world:
            reader, writer = await world.connect()
            upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQ\r\n"
            writer.write(GET + upgrade + b"Upgrade: h2c\r\n\r\n" + GET + b"\r\n")
            for _ in range(2):
                await reader.readuntil(b"\r\n\r\nGET / HTTP/1.1\r\n")
                assert b"upgrade" not in (await reader.readuntil(b"\r\n\r\n")).lower()
            writer.close()

    run(check())


@pytest.mark.parametrize(
    "body",
    [b"Content-Length: 4\r\n\r\nbody", b"Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"],
)
def test_a_body_is_passed_on_of_clients_that_offer_another_protocol_with_it(body: bytes) -> None:
    async def check() -> None:
        async with proxy(echo) as world:
            reader, writer = await world.connect()
            post = GET.replace(b"GET", b"POST")
            offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n"
            writer.write(post + offer + body + GET + b"\r\n")
            told = await reader.readuntil(b"GET / HTTP/1.1\r\n")
            assert b"body" in told.partition(b"POST / HTTP/1.1")[2]
            assert b"upgrade" not in told.lower()
            writer.close()

    run(check())
