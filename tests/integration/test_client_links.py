"""The clients over real sockets: what a connection can do to a request."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from ephemera.client import AsyncClient, Client
from ephemera.client.attempt import Pace
from ephemera.errors import ConfigError, NoAnswer, ServerFault, Unreachable
from tests.ports import free_port

OK = b'HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{"id":"m1"}'
#: No time passes between retries.
AT_ONCE = Pace(chance=lambda: 0.0)


@contextmanager
def serving(*behaviours: bytes | None) -> Iterator[tuple[str, list[bytes]]]:
    """Serve one connection for each behaviour: send these bytes and close, or send nothing."""
    seen: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for behaviour in behaviours:
                connection, _ = listener.accept()
                with connection:
                    seen.append(connection.recv(65536))
                    connection.sendall(behaviour or b"")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", seen
        thread.join()


@pytest.fixture(params=["sync", "async"])
def run(request: pytest.FixtureRequest) -> Callable[[str, Callable[[Any], Any]], Any]:
    """Return a function that makes a client for a URL and does something with it."""

    def blocking(url: str, do: Callable[[Any], Any]) -> Any:
        with Client(url, "t", pace=AT_ONCE) as client:
            return do(client)

    def awaited(url: str, do: Callable[[Any], Any]) -> Any:
        async def go() -> Any:
            async with AsyncClient(url, "t", pace=AT_ONCE) as client:
                return await do(client)

        return asyncio.run(go())

    return blocking if request.param == "sync" else awaited


def test_an_answer_comes_back(run: Any) -> None:
    with serving(OK) as (url, seen):
        assert run(url, lambda c: c.machines.get("demo", "m1")).id == "m1"
    assert seen[0].startswith(b"GET /v1/apps/demo/machines/m1 HTTP/1.1\r\n")


def test_a_quoted_name_is_not_unquoted_on_the_way(run: Any) -> None:
    with serving(OK) as (url, seen):
        run(url, lambda c: c.machines.get("a b?c", "%2e%2e"))
    assert seen[0].startswith(b"GET /v1/apps/a%20b%3Fc/machines/%252e%252e HTTP/1.1\r\n")


def test_a_port_where_nobody_listens_is_unreachable(run: Any) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(Unreachable, match=url):
        run(url, lambda c: c.machines.start("demo", "m1"))


def test_a_connection_that_is_closed_without_an_answer_leaves_it_open(run: Any) -> None:
    with serving(None) as (url, _), pytest.raises(NoAnswer) as caught:
        run(url, lambda c: c.machines.start("demo", "m1"))
    assert not isinstance(caught.value, Unreachable)


def test_a_get_is_sent_again_after_it(run: Any) -> None:
    with serving(None, OK[:-3], OK) as (url, seen):
        assert run(url, lambda c: c.machines.get("demo", "m1")).id == "m1"
    assert len(seen) == 3


def test_a_redirect_is_not_followed(run: Any) -> None:
    moved = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"
    with serving(moved) as (url, _), pytest.raises(ServerFault, match="redirects"):
        run(url, lambda c: c.machines.get("demo", "m1"))


def test_a_proxy_of_the_environment_is_not_used_for_this_computer(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    with serving(OK) as (url, _):
        run(url, lambda c: c.machines.get("demo", "m1"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTPS_PROXY", "carrier-pigeon://x"),
        ("ALL_PROXY", "socks5://127.0.0.1:1"),  # takes a package that we do not require
        ("SSL_CERT_FILE", "/nowhere/at/all.pem"),
    ],
)
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_settings_of_the_environment_that_cannot_be_used_are_told(
    kind: Callable[..., object], monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=name):
        kind("https://api.example", "t")


def test_a_client_that_is_closed_says_so(run: Any) -> None:
    async def awaited(client: AsyncClient) -> object:
        await client.close()
        return await client.apps.get("demo")

    def use(client: Any) -> object:
        if isinstance(client, AsyncClient):
            return awaited(client)
        client.close()
        return client.apps.get("demo")

    with pytest.raises(ConfigError, match="the client is closed"):
        run("http://127.0.0.1:1", use)


def test_a_client_may_be_shared_by_threads() -> None:
    with (
        serving(*[OK] * 20) as (url, _),
        Client(url, "t", pace=AT_ONCE) as client,
        ThreadPoolExecutor(8) as pool,
    ):
        found = list(pool.map(lambda _: client.machines.get("demo", "m1").id, range(20)))
    assert found == ["m1"] * 20
