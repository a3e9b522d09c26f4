"""A proxy that ends answers what it was asked, and takes nothing more."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import h2.events
import httpx2

from ephemera.testing.serving import serving
from tests.integration.test_proxy_http2 import HEAD, raw
from tests.ports import free_port
from tests.proxy_world import World, head_of, proxy, run, until

GET = b"GET / HTTP/1.1\r\nHost: demo.localhost\r\n\r\n"


class Slow:
    """An app that answers when it is told to."""

    def __init__(self) -> None:
        self.asked = 0
        self.may_answer = asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await head_of(reader)
            self.asked += 1
            await self.may_answer.wait()
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello")


async def begun(world: World) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await world.connect()
    writer.write(GET)
    return reader, writer


def test_requests_are_finished_and_idle_clients_are_hung_up_on() -> None:
    async def check() -> None:
        app = Slow()
        async with proxy(app) as world:
            reader, writer = await begun(world)
            idle, _idle = await world.connect()
            await until(lambda: app.asked == 1 and len(world.engine.connections) == 2)
            end = asyncio.ensure_future(world.engine.drain(10))
            assert await asyncio.wait_for(idle.read(), 30) == b""
            app.may_answer.set()
            answer = await asyncio.wait_for(reader.read(), 30)
            assert answer.endswith(b"connection: close\r\n\r\nhello")
            await end
            assert not world.engine.connections
            writer.close()

    run(check())


def test_a_request_that_comes_late_is_refused() -> None:
    async def check() -> None:
        app = Slow()
        async with proxy(app) as world:
            reader, writer = await world.connect()
            writer.write(GET[:-2])
            first, _first = await begun(world)
            await until(lambda: app.asked == 1)
            end = asyncio.ensure_future(world.engine.drain(10))
            await asyncio.sleep(0)
            writer.write(b"\r\n")
            answer = await asyncio.wait_for(reader.read(), 30)
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert b"the platform is stopping" in answer
            app.may_answer.set()
            assert (await first.read()).endswith(b"hello")
            await end

    run(check())


def test_over_http_2_no_stream_is_taken_and_those_there_are_finished() -> None:
    async def check() -> None:
        app = Slow()
        async with proxy(app, tls=True) as world, raw(world) as client, raw(world) as idle:
            client.h2.send_headers(1, HEAD, end_stream=True)
            client.send()
            await idle.hear(h2.events.RemoteSettingsChanged)
            await until(lambda: app.asked == 1)
            end = asyncio.ensure_future(world.engine.drain(10))
            said = b""
            while chunk := await asyncio.wait_for(idle.reader.read(65536), 30):
                said += chunk
            assert b"\x07\x00\x00\x00\x00\x00\x00\x00\x00" in said  # GOAWAY
            app.may_answer.set()
            while chunk := await asyncio.wait_for(client.reader.read(65536), 30):
                said += chunk
            assert b"hello" in said
            await end

    run(check())


def test_who_takes_too_long_is_hung_up_on() -> None:
    async def check() -> None:
        app = Slow()
        async with proxy(app) as world:
            reader, _writer = await begun(world)
            await until(lambda: app.asked == 1)
            await world.engine.drain(0.1)
            await world.engine.close()
            with suppress(ConnectionError):
                assert not await asyncio.wait_for(reader.read(), 30)
            await until(world.released)

    run(check())


APP = """
import http.server, pathlib, sys, time

asked, may_answer = (pathlib.Path(one) for one in sys.argv[2:])

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        asked.touch()
        while not may_answer.exists():
            time.sleep(0.01)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")

http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def test_a_platform_that_is_stopped_finishes_the_requests_of_clients(tmp_path: Path) -> None:
    asked, may_answer = tmp_path / "asked", tmp_path / "may-answer"
    port = free_port()
    config = {
        "image": "host",
        "init": {"exec": [sys.executable, "-c", APP, str(port), str(asked), str(may_answer)]},
        "services": [{"internal_port": port, "ports": [{"port": 80, "handlers": ["http"]}]}],
    }
    with serving(tmp_path / "home") as server, ThreadPoolExecutor(2) as threads:
        with httpx2.Client(base_url=server.endpoint.url, headers=server.headers, timeout=30) as api:
            api.post("/v1/apps", json={"name": "demo"}).raise_for_status()
            api.post("/v1/apps/demo/machines", json={"config": config}).raise_for_status()
        headers = {"Host": "demo.localhost"}
        url = server.endpoint.proxy_url
        answer = threads.submit(httpx2.get, url, headers=headers, trust_env=False, timeout=60)
        while not asked.exists():
            time.sleep(0.01)
        stopped = threads.submit(server.stop)
        while _takes_clients(url):
            time.sleep(0.01)
        may_answer.touch()
        assert answer.result().text == "hello"
        assert stopped.result() == 0


def _takes_clients(url: str) -> bool:
    where = urlsplit(url)
    try:
        socket.create_connection((where.hostname or "", where.port or 0), timeout=30).close()
    except OSError:
        return False
    return True
