"""Requests that could be read in two ways never reach a machine, and nobody can hold the proxy up.

Source of the attacks: RFC 9112 section 11, and what HTTP request smuggling is known to be done by.
"""

from __future__ import annotations

import asyncio

import pytest

from ephemera.platform.proxy.requests import HEAD_BYTES_MAX
from ephemera.wire.services import HttpOptions
from tests.proxy_world import FakeRouter, answering, closing, echo, hello, proxy, run

HOST = b"Host: demo.localhost\r\n"

REFUSED = {
    "length and chunks": (
        400,
        b"POST / HTTP/1.1\r\n"
        + HOST
        + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    "chunks and length": (
        400,
        b"POST / HTTP/1.1\r\n"
        + HOST
        + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    ),
    "two lengths": (
        400,
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    ),
    "two equal lengths": (
        400,
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\na",
    ),
    "a list of lengths": (400, b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 1, 1\r\n\r\na"),
    "a length with a sign": (400, b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: +1\r\n\r\na"),
    "a negative length": (400, b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\n"),
    "a length beyond all": (
        400,
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n",
    ),
    "chunked is not last": (
        400,
        b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    ),
    "another coding": (
        501,
        b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    ),
    "twice chunked": (
        400,
        b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n0\r\n\r\n",
    ),
    "nearly chunked": (
        501,
        b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    ),
    "chunks in HTTP/1.0": (
        400,
        b"POST / HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    "a folded line": (400, b"GET / HTTP/1.1\r\n" + HOST + b"X: a\r\n b\r\n\r\n"),
    "a first line that is folded": (400, b"GET / HTTP/1.1\r\n X: a\r\n" + HOST + b"\r\n"),
    "a bare line feed": (400, b"GET / HTTP/1.1\r\n" + HOST + b"X: a\nY: b\r\n\r\n"),
    "line feeds alone": (400, b"GET / HTTP/1.1\nHost: demo.localhost\n\n"),
    "a bare carriage return": (400, b"GET / HTTP/1.1\r\n" + HOST + b"X: a\rY: b\r\n\r\n"),
    "a zero byte": (400, b"GET / HTTP/1.1\r\n" + HOST + b"X: a\0b\r\n\r\n"),
    "a space before the colon": (400, b"GET / HTTP/1.1\r\n" + HOST + b"X : a\r\n\r\n"),
    "a length with a space before the colon": (
        400,
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length : 5\r\n\r\nhello",
    ),
    "a header without a name": (400, b"GET / HTTP/1.1\r\n" + HOST + b": a\r\n\r\n"),
    "a header without a colon": (400, b"GET / HTTP/1.1\r\n" + HOST + b"X\r\n\r\n"),
    "no host": (400, b"GET / HTTP/1.1\r\n\r\n"),
    "an empty host": (400, b"GET / HTTP/1.1\r\nHost:\r\n\r\n"),
    "two hosts": (400, b"GET / HTTP/1.1\r\n" + HOST * 2 + b"\r\n"),
    "a host with a path": (400, b"GET / HTTP/1.1\r\nHost: demo.localhost/x\r\n\r\n"),
    "a host with a user": (400, b"GET / HTTP/1.1\r\nHost: a@demo.localhost\r\n\r\n"),
    "a host with a space": (400, b"GET / HTTP/1.1\r\nHost: demo .localhost\r\n\r\n"),
    "another host in the URL": (400, b"GET http://other.localhost/ HTTP/1.1\r\n" + HOST + b"\r\n"),
    "another scheme": (400, b"GET ftp://demo.localhost/ HTTP/1.1\r\n" + HOST + b"\r\n"),
    "no path": (400, b"GET demo HTTP/1.1\r\n" + HOST + b"\r\n"),
    "a tunnel": (501, b"CONNECT demo.localhost:80 HTTP/1.1\r\n" + HOST + b"\r\n"),
    "an unknown method": (400, b"GE(T / HTTP/1.1\r\n" + HOST + b"\r\n"),
    "an old version": (505, b"GET / HTTP/0.9\r\n" + HOST + b"\r\n"),
    "a version to come": (505, b"GET / HTTP/2.0\r\n" + HOST + b"\r\n"),
    "no HTTP at all": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    "an unknown expectation": (417, b"GET / HTTP/1.1\r\n" + HOST + b"Expect: wonders\r\n\r\n"),
    "a long URL": (414, b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n"),
    "many headers": (431, b"GET / HTTP/1.1\r\n" + HOST + b"X: a\r\n" * 300 + b"\r\n"),
    "a large header": (431, b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 70_000 + b"\r\n\r\n"),
    "a header without end": (431, b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 200_000),
    "a URL without end": (431, b"GET /" + b"a" * 200_000),
    "a chunk size that is none": (
        400,
        b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nx\r\n",
    ),
    "a chunk size beyond all": (
        400,
        b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 17 + b"\r\n",
    ),
    "a chunk that is longer than it says": (
        400,
        b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
    ),
    "a chunk that ends in a line feed": (
        400,
        b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n1\na\n0\n\n",
    ),
    "a trailer that is too large": (
        431,
        b"POST / HTTP/1.1\r\n"
        + HOST
        + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: "
        + b"a" * 200_000,
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_could_be_read_in_two_ways_is_refused(what: str) -> None:
    status, request = REFUSED[what]
    whole: list[bytes] = []

    async def app(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        whole.append(await reader.read())

    async def check() -> None:
        async with proxy(app) as world:
            smuggled = b"GET /smuggled HTTP/1.1\r\n" + HOST + b"\r\n"
            answer = await world.ask(request + smuggled)
            assert answer.startswith(b"HTTP/1.1 %d " % status), answer
            assert answer.count(b"fly-request-id: ") == 1
            assert b"connection: close\r\n" in answer
            assert world.released()

    run(check())
    # Of a body that breaks off, the beginning may have gone out; its end never.
    assert not any(b"smuggled" in one or one.endswith(b"0\r\n\r\n") for one in whole)


@pytest.mark.parametrize(
    "headers",
    [
        b"Fly-Client-IP: 1.2.3.4\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Ssl: on\r\n",
        b"fly_client_ip: 1.2.3.4\r\nX_Forwarded_Proto: https\r\nX_FORWARDED_FOR: 1.2.3.4\r\n",
        b"Fly-Replay-Src: instance=x\r\nFly-Region: moon\r\nFly-Forwarded-Port: 1\r\n",
        b"Connection: fly-client-ip, x-forwarded-for\r\n",
    ],
)
def test_what_only_the_proxy_may_say_is_not_taken_from_clients(headers: bytes) -> None:
    async def check() -> None:
        async with proxy(echo) as world:
            request = b"GET / HTTP/1.1\r\nConnection: close\r\n" + HOST + headers + b"\r\n"
            told = (await world.ask(request)).partition(b"\r\n\r\n")[2].lower()
            assert b"1.2.3.4" not in told
            assert b"moon" not in told
            assert b"fly-replay-src" not in told
            assert told.count(b"x-forwarded-proto: http\r\n") == 1
            assert told.count(b"x-forwarded-ssl: off\r\n") == 1
            assert b"\r\nfly-client-ip: 127.0.0.1\r\n" in told
            assert b"\r\nx-forwarded-for: 127.0.0.1\r\n" in told

    run(check())


def test_a_url_that_names_its_host_is_passed_on_as_a_path() -> None:
    async def check() -> None:
        async with proxy(echo) as world:
            request = b"GET http://demo.localhost/a#b HTTP/1.1\r\nConnection: close\r\n"
            assert b"\r\n\r\nGET /a HTTP/1.1\r\nhost: demo" in await world.ask(
                request + HOST + b"\r\n"
            )

    run(check())


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nx: a\r\n b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: a\0b\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"a" * 300_000,
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, gzip\r\n\r\nab",
        b"HTTP/1.1 000 X\r\ncontent-length: 1\r\n\r\na",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"",
    ],
)
def test_an_answer_that_is_none_is_a_502(answer: bytes) -> None:
    async def check() -> None:
        async with proxy(closing(answer)) as world:
            got = await world.get()
            assert got.startswith(b"HTTP/1.1 502 ")
            assert b"\r\nserver: Ephemera" in got
            assert world.router.said[0].startswith("app m1 error the app")

    run(check())


def test_an_answer_that_nobody_asked_for_is_given_to_nobody() -> None:
    twice = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nfirst"
    twice += b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecond"

    async def check() -> None:
        async with proxy(answering(twice)) as world:
            reader, writer = await world.connect()
            for _ in range(3):
                writer.write(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
                assert await reader.readuntil(b"first")
            writer.close()

    run(check())


def test_a_client_that_sends_its_headers_slowly_is_told_so() -> None:
    async def check() -> None:
        async with proxy(router=FakeRouter(options=HttpOptions(headers_read_timeout=1))) as world:
            reader, writer = await world.connect()
            writer.write(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
            await reader.readuntil(b"hello")
            writer.write(b"GET / HTTP/1.1\r\nHo")
            assert b" 408 " in await reader.readuntil(b"\r\n")
            await reader.read()
            writer.close()

    run(check())


def test_silence_for_longer_than_the_app_allows_ends_a_request() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async def check() -> None:
        router = FakeRouter(options=HttpOptions(idle_timeout=1))
        async with proxy(silent, router) as world:
            slow = b"POST / HTTP/1.1\r\nContent-Length: 5\r\n" + HOST + b"\r\nhel"
            waits = await asyncio.gather(world.get(), world.ask(slow))
            assert [answer.split(b" ")[1] for answer in waits] == [b"504", b"408"]
            assert world.released()

    run(check())


def test_more_connections_than_there_is_room_for_are_sent_away() -> None:
    async def check() -> None:
        async with proxy(hello, limit=2) as world:
            first, second = await world.connect(), await world.connect()
            for reader, writer in (first, second):
                writer.write(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
                await reader.readuntil(b"hello")
            assert b" 503 " in await world.get()
            first[1].close()
            while b" 503 " in await world.get():
                pass
            second[1].close()

    run(check())


def test_headers_up_to_the_limit_are_passed_on() -> None:
    async def check() -> None:
        async with proxy(hello) as world:
            assert b" 200 " in await world.get("/", "X: " + "a" * (HEAD_BYTES_MAX - 1000))

    run(check())
