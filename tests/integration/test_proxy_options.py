"""What the proxy does beside passing on: replays, refusals, redirects, and an app's options."""

from __future__ import annotations

import asyncio
import gzip
from dataclasses import replace

from ephemera.platform.proxy.routing import Asked
from ephemera.wire.services import HttpOptions, HttpResponseOptions
from tests.ports import free_port
from tests.proxy_world import (
    PLAIN,
    FakeRouter,
    FakeSeat,
    answering,
    echo,
    head_of,
    listening,
    proxy,
    run,
    until,
)

GET = b"GET / HTTP/1.1\r\nHost: demo.localhost\r\n"


def test_a_replayed_request_goes_to_the_machine_that_the_app_names() -> None:
    there = answering(
        b"HTTP/1.1 200 OK\r\nfly-replay: instance=m2;state=a b;key=1\r\nfly-replay-cache: /*\r\n"
        b"content-length: 4\r\n\r\ngone"
    )

    async def check() -> None:
        async with listening(echo) as second, proxy(there) as world:
            router = world.router
            first = router.port
            router.choose = lambda asked: (
                router.machine("m2", second) if asked.replay else router.machine("m1", first)
            )
            request = b"POST / HTTP/1.1\r\nHost: demo.localhost\r\nConnection: close\r\n"
            answer = await world.ask(request + b"Content-Length: 5\r\n\r\nhello")
            assert b"\r\nfly-replay-src: instance=m1;region=local;t=" in answer
            assert b";state=a b\r\n" in answer
            assert answer.endswith(b"\r\n\r\nhello")
            assert b"fly-replay:" not in answer
            said = "app m1 warning a replay was asked for with 'fly-replay-cache', 'key', which"
            assert world.router.said == [f"{said} means nothing here"]
            replay = router.asked[1].replay
            assert replay is not None
            assert (replay.instance, replay.source_machine) == ("m2", "m1")
            assert world.released()

    run(check())


def test_a_replay_that_is_too_large_or_never_ends_is_refused_with_its_code() -> None:
    again = b"HTTP/1.1 200 OK\r\nfly-replay: region=x\r\ncontent-length: 0\r\n\r\n"

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        await reader.readexactly(1024 * 1024 + 1)
        writer.write(again)

    async def check() -> None:
        async with proxy(answering(again)) as world:
            answer = await world.get()
            assert answer.startswith(b"HTTP/1.1 502 ")
            assert b"PA02" in answer
            assert len(world.router.asked) == 11
        async with proxy(swallow) as world:
            size = 1024 * 1024 + 1
            request = b"POST / HTTP/1.1\r\nHost: demo.localhost\r\nConnection: close\r\n"
            request += b"Content-Length: %d\r\n\r\n" % size
            assert b"502 (PA01)" in await world.ask(request + bytes(size))

    run(check())


def test_a_port_that_nobody_listens_on_is_said_to_client_and_log() -> None:
    async def check() -> None:
        gone = free_port()
        async with proxy(router=FakeRouter(port=gone)) as world:
            answer = await world.get()
            assert answer.startswith(b"HTTP/1.1 502 ")
            assert b"the app is not listening on 0.0.0.0:%d" % gone in answer
            assert world.router.said[0].startswith("app m1 error [PM05] the app is not listening")
            assert world.released()
            as_json = await world.get("/", "Accept: application/json")
            assert b'"code": "PM05"' in as_json

    run(check())


def test_what_the_router_refuses_is_answered_with_its_status() -> None:
    async def check() -> None:
        async with proxy() as world:
            answer = await world.get(host="nothing.localhost")
            assert answer.startswith(b"HTTP/1.1 404 ")
            assert b"there is no app 'nothing.localhost'\nhint: `ephemera apps list`\n" in answer

    run(check())


def test_a_fault_of_the_proxy_is_answered_too() -> None:
    def fail(_: Asked) -> FakeSeat:
        raise RuntimeError("a fault")

    async def check() -> None:
        async with proxy(router=FakeRouter(choose=fail)) as world:
            assert (await world.get()).startswith(b"HTTP/1.1 500 ")

    run(check())


def test_plain_requests_are_sent_to_the_tls_port_where_the_app_wants_that() -> None:
    async def check() -> None:
        async with proxy(router=FakeRouter(force_https=True)) as world:
            answer = await world.get("/a?b=c", host="demo.localhost:4281")
            assert answer.startswith(b"HTTP/1.1 301 ")
            assert b"location: https://demo.localhost:4443/a?b=c\r\n" in answer
            assert not world.router.asked

    run(check())


def test_machines_are_sent_to_no_tls_port_for_they_have_none() -> None:
    async def check() -> None:
        inside = replace(PLAIN, is_inside=True)
        async with proxy(router=FakeRouter(force_https=True), plain=inside) as world:
            assert (await world.get()).startswith(b"HTTP/1.1 200 ")

    run(check())


def test_answers_are_compressed_and_headers_set_where_the_app_wants_that() -> None:
    text = b"word " * 1000
    answer = b'HTTP/1.1 200 OK\r\ncontent-type: text/html\r\netag: "1"\r\nx-gone: 1\r\n'
    answer += b"content-length: %d\r\n\r\n" % len(text) + text

    async def check() -> None:
        headers = {"X-Gone": False, "X-Set": ["1", "2"], "X-Evil": "a\r\nb: c"}
        options = HttpOptions(compress=True, response=HttpResponseOptions(headers=headers))
        async with proxy(answering(answer), FakeRouter(options=options)) as world:
            got = await world.get("/", "Accept-Encoding: br;q=1, gzip")
            head, _, body = got.partition(b"\r\n\r\n")
            assert b"content-encoding: gzip\r\n" in head
            assert b'etag: W/"1"' in head
            assert b"x-gone" not in head
            assert b"x-set: 1\r\nx-set: 2\r\n" in head
            assert b"\r\nb: c" not in head
            assert gzip.decompress(_unchunked(body)) == text
            assert text in await world.get("/", "Accept-Encoding: gzip;q=0")

    run(check())


def test_a_pristine_answer_is_left_as_it_is() -> None:
    async def check() -> None:
        options = HttpOptions(response=HttpResponseOptions(pristine=True))
        answer = b"HTTP/1.1 200 OK\r\nserver: mine\r\ncontent-length: 0\r\n\r\n"
        async with proxy(answering(answer), FakeRouter(options=options)) as world:
            got = await world.get()
            assert got.partition(b"\r\n")[2] == (
                b"server: mine\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            )

    run(check())


def test_a_seat_of_a_connection_is_kept_for_its_requests() -> None:
    async def check() -> None:
        async with proxy(router=FakeRouter(per_connection=True)) as world:
            reader, writer = await world.connect()
            for _ in range(3):
                writer.write(GET + b"\r\n")
                await reader.readuntil(b"\r\n\r\nhello")
                assert not world.released()
            assert len(world.router.seats) == 1
            world.router.seats[0].held = False  # its machine has stopped
            writer.write(GET + b"\r\n")
            await reader.readuntil(b"\r\n\r\nhello")
            assert len(world.router.seats) == 2
            writer.close()
            await until(world.released)

    run(check())


def _unchunked(body: bytes) -> bytes:
    whole = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        whole += rest[: int(size, 16)]
        body = rest[int(size, 16) + 2 :]
    return whole
