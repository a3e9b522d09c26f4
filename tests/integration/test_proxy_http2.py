"""The proxy speaks HTTP/2 behind TLS, and is not to be held up by it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import h2.config
import h2.connection
import h2.errors
import h2.events
import httpx2
import pytest
from websockets.asyncio.client import connect as connect_websocket
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_websocket

from tests.proxy_world import (
    FakeRouter,
    World,
    answering,
    echo,
    head_of,
    hello,
    proxy,
    run,
    still,
    until,
)

HEAD = [
    (":method", "GET"),
    (":path", "/"),
    (":scheme", "https"),
    (":authority", "demo.localhost"),
]


def client(world: World, *, http2: bool = True) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        base_url=f"https://127.0.0.1:{world.tls_port}",
        http2=http2,
        verify=False,
        headers={"Host": "demo.localhost"},
        trust_env=False,
    )


class RawClient:
    """A client that may do what it must not."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        config = h2.config.H2Configuration(
            validate_outbound_headers=False, normalize_outbound_headers=False
        )
        self.h2 = h2.connection.H2Connection(config)
        self.h2.initiate_connection()
        self.events: list[h2.events.Event] = []

    def send(self) -> None:
        """Send what h2 has to send."""
        self.writer.write(self.h2.data_to_send())

    async def hear(self, kind: type[h2.events.Event]) -> h2.events.Event:
        """Return the next event of a kind."""
        while True:
            for event in self.events:
                if isinstance(event, kind):
                    self.events.remove(event)
                    return event
            data = await asyncio.wait_for(self.reader.read(65536), 30)
            assert data, "the proxy hung up"
            self.events += self.h2.receive_data(data)
            self.send()


@asynccontextmanager
async def raw(world: World) -> AsyncIterator[RawClient]:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    reader, writer = await asyncio.open_connection("127.0.0.1", world.tls_port, ssl=context)
    one = RawClient(reader, writer)
    one.send()
    try:
        yield one
    finally:
        writer.transport.abort()


def test_requests_of_both_versions_are_answered_behind_tls() -> None:
    async def check() -> None:
        async with proxy(echo, tls=True) as world:
            for http2, version in ((True, "HTTP/2"), (False, "HTTP/1.1")):
                async with client(world, http2=http2) as http:
                    answer = await http.post("/a?b=c", content=b"hello")
                    assert answer.http_version == version
                    told = answer.text.lower()
                    assert told.startswith("post /a?b=c http/1.1\r\nhost: demo.localhost\r\n")
                    assert "x-forwarded-proto: https\r\nx-forwarded-port: 4443\r\n" in told
                    assert f"via: {version[5:]} ephemera\r\n" in told
                    assert told.endswith("\r\n\r\nhello")
                    assert answer.headers["server"].startswith("Ephemera/")
            assert {asked.port for asked in world.router.asked} == {443}
            await until(world.released)

    run(check())


def test_many_requests_share_a_connection() -> None:
    arrived = 0

    async def app(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal arrived
        while True:
            await head_of(reader)
            arrived += 1
            if arrived == 20:
                all_here.set()
            await all_here.wait()
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")

    all_here = asyncio.Event()

    async def check() -> None:
        async with proxy(app, tls=True) as world, client(world) as http:
            answers = await asyncio.gather(*(http.get("/") for _ in range(20)))
            assert {answer.text for answer in answers} == {"ok"}

    run(check())


def test_large_bodies_pass_both_ways_within_the_windows() -> None:
    body = bytes(range(256)) * 20_000

    async def check() -> None:
        async with proxy(echo, tls=True) as world, client(world) as http:
            answer = await http.post("/", content=body)
            assert answer.content.endswith(body)

    run(check())


def test_a_body_of_unknown_length_goes_to_the_machine_in_chunks() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    async def check() -> None:
        async with proxy(echo, tls=True) as world, client(world) as http:
            answer = await http.post("/", content=pieces())
            assert answer.text.endswith("3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")

    run(check())


def test_cookies_that_were_cut_up_are_put_together() -> None:
    async def check() -> None:
        async with proxy(echo, tls=True) as world, raw(world) as one:
            one.h2.send_headers(1, [*HEAD, ("cookie", "a=1"), ("cookie", "b=2")], end_stream=True)
            one.send()
            event = await one.hear(h2.events.DataReceived)
            assert isinstance(event, h2.events.DataReceived)
            assert b"cookie: a=1; b=2\r\n" in bytes(event.data or b"")

    run(check())


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        ("400", [*HEAD[:3], (":authority", "")]),
        ("400", [*HEAD[:3], (":authority", "demo.localhost/x")]),
        ("400", [HEAD[0], (":path", "no-path"), *HEAD[2:]]),
        ("400", [HEAD[0], (":path", "/a b"), *HEAD[2:]]),
        ("400", [(":method", "G T"), *HEAD[1:]]),
        ("501", [(":method", "CONNECT"), HEAD[3]]),
        ("431", [*HEAD, *((f"x-{number}", "a") for number in range(300))]),
        ("417", [*HEAD, ("expect", "wonders")]),
    ],
)
def test_what_is_no_request_is_refused(status: str, headers: list[tuple[str, str]]) -> None:
    async def check() -> None:
        async with proxy(hello, tls=True) as world, raw(world) as one:
            one.h2.send_headers(1, headers, end_stream=True)
            one.send()
            event = await one.hear(h2.events.ResponseReceived)
            assert isinstance(event, h2.events.ResponseReceived)
            assert dict(event.headers or [])[b":status"] == status.encode()
            assert not world.router.asked

    run(check())


@pytest.mark.parametrize(
    "headers",
    [
        [*HEAD, ("x", "a\r\nb: c")],
        [*HEAD, ("x", "a\0b")],
        [*HEAD, ("x y", "a")],
        [*HEAD, ("X", "a")],
        [*HEAD, ("connection", "close")],
        [*HEAD, ("transfer-encoding", "chunked")],
        [*HEAD, ("content-length", "1"), ("content-length", "2")],
        [*HEAD, ("content-length", "+1")],
        [*HEAD, (":path", "/twice")],
        [*HEAD, ("host", "other.localhost")],
        [*HEAD, (":strange", "x")],
        [("x", "first"), *HEAD],
        [*HEAD[1:]],
    ],
)
def test_what_h2_or_we_take_for_an_attack_never_reaches_a_machine(
    headers: list[tuple[str, str]],
) -> None:
    async def check() -> None:
        async with proxy(hello, tls=True) as world, raw(world) as one:
            one.h2.send_headers(1, headers, end_stream=True)
            one.send()
            event = await _refusal(one)
            if isinstance(event, h2.events.ResponseReceived):
                assert dict(event.headers or [])[b":status"] == b"400"
            assert not world.router.asked

    run(check())


async def _refusal(one: RawClient) -> h2.events.Event:
    refusals = (
        h2.events.ResponseReceived,
        h2.events.StreamReset,
        h2.events.ConnectionTerminated,
    )
    while True:
        for event in one.events:
            if isinstance(event, refusals):
                return event
        data = await asyncio.wait_for(one.reader.read(65536), 30)
        assert data, "the proxy hung up without a word"
        one.events += one.h2.receive_data(data)


def test_a_body_that_is_not_as_long_as_it_says_is_never_whole() -> None:
    got = b""

    async def app(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal got
        got = await reader.read()

    async def check() -> None:
        async with proxy(app, tls=True) as world, raw(world) as one:
            one.h2.send_headers(1, [(":method", "POST"), *HEAD[1:], ("content-length", "9")])
            one.h2.send_data(1, b"hello", end_stream=True)
            one.send()
            await until(lambda: not world.engine.connections)
        assert len(got.partition(b"\r\n\r\n")[2]) < 9

    run(check())


def test_a_request_that_is_reset_frees_the_machine_and_the_others_go_on() -> None:
    async def app(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await head_of(reader)
        if b"GET /slow" in head:
            arrived.set()
            assert await reader.read() == b""
            left.set()
        else:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

    arrived, left = asyncio.Event(), asyncio.Event()

    async def check() -> None:
        async with proxy(app, tls=True) as world, raw(world) as one:
            one.h2.send_headers(1, [HEAD[0], (":path", "/slow"), *HEAD[2:]], end_stream=True)
            one.send()
            await arrived.wait()
            one.h2.reset_stream(1)
            one.h2.send_headers(3, HEAD, end_stream=True)
            one.send()
            await one.hear(h2.events.ResponseReceived)
            await left.wait()
            await until(world.released)

    run(check())


def test_an_answer_that_breaks_off_resets_its_request() -> None:
    half = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"

    async def app(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        writer.write(half)

    async def check() -> None:
        async with proxy(app, tls=True) as world, raw(world) as one:
            one.h2.send_headers(1, HEAD, end_stream=True)
            one.send()
            await one.hear(h2.events.DataReceived)
            await one.hear(h2.events.StreamReset)

    run(check())


def test_a_client_that_reads_nothing_holds_up_its_own_answer_only() -> None:
    large = b"HTTP/1.1 200 OK\r\ncontent-length: 10000000\r\n\r\n" + bytes(10_000_000)

    async def check() -> None:
        async with proxy(answering(large), tls=True) as world, raw(world) as one:
            one.h2.send_headers(1, HEAD, end_stream=True)
            one.send()
            got = 0
            while got < 10_000_000:  # h2 opens its window only when it is told to
                event = await one.hear(h2.events.DataReceived)
                assert isinstance(event, h2.events.DataReceived)
                got += len(event.data or b"")
                one.h2.acknowledge_received_data(event.flow_controlled_length or 0, 1)
                one.send()
            await one.hear(h2.events.StreamEnded)
            await until(world.released)

    run(check())


def test_a_window_that_stays_shut_holds_up_the_machine() -> None:
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
        async with proxy(app, tls=True) as world, raw(world) as one:
            one.h2.send_headers(1, HEAD, end_stream=True)
            one.send()
            await one.hear(h2.events.DataReceived)
            await still(lambda: sent)
            assert 0 < sent < 500 * len(piece)

    run(check())


def test_a_client_that_opens_and_resets_without_end_is_hung_up_on() -> None:
    async def check() -> None:
        async with proxy(hello, tls=True) as world, raw(world) as one:
            for number in range(1, 4001, 2):
                one.h2.send_headers(number, HEAD, end_stream=True)
                one.h2.reset_stream(number)
            one.send()
            event = await one.hear(h2.events.ConnectionTerminated)
            assert isinstance(event, h2.events.ConnectionTerminated)
            assert event.error_code == h2.errors.ErrorCodes.ENHANCE_YOUR_CALM
            await until(world.released)

    run(check())


def test_browsers_are_not_offered_websockets_over_http_2() -> None:
    """They open one by HTTP/1.1 then, over a connection of its own."""

    async def check() -> None:
        async with proxy(hello, FakeRouter(), tls=True) as world, raw(world) as one:
            one.h2.send_headers(1, HEAD, end_stream=True)
            one.send()
            await one.hear(h2.events.ResponseReceived)
            offered = one.h2.remote_settings
            assert offered.max_concurrent_streams < 1000  # what was said has come
            assert offered.enable_connect_protocol == 0

    run(check())


def test_a_websocket_is_passed_through_behind_tls() -> None:
    async def shout(socket: ServerConnection) -> None:
        async for message in socket:
            await socket.send(message.upper())

    async def check() -> None:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["http/1.1"])  # as browsers do for those
        async with serve_websocket(shout, "127.0.0.1", 0) as app:
            port = next(iter(app.sockets)).getsockname()[1]
            async with proxy(router=FakeRouter(port=port), tls=True) as world:
                url = f"wss://127.0.0.1:{world.tls_port}/chat"
                async with connect_websocket(url, ssl=context) as client:
                    await client.send("hello")
                    assert await client.recv() == "HELLO"

    run(check())


def test_a_websocket_over_http_2_is_refused_clearly() -> None:
    async def check() -> None:
        async with proxy(hello, FakeRouter(), tls=True) as world, raw(world) as one:
            method = [(":method", "CONNECT"), *HEAD[1:], (":protocol", "websocket")]
            one.h2.send_headers(1, method)
            one.send()
            await _refusal(one)
            assert not world.router.asked

    run(check())
