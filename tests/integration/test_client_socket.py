"""The clients inside a machine: through its own socket, without a token."""

from __future__ import annotations

import asyncio
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ephemera.client import AsyncClient, Client
from ephemera.client.attempt import Pace
from ephemera.errors import Unauthorized, Unreachable
from ephemera.testing.serving import serving

OK = b'HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{"id":"m1"}'
#: No time passes between retries.
AT_ONCE = Pace(chance=lambda: 0.0)


class Served:
    """A socket that answers each request, and what it was asked."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seen: list[bytes] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            with connection:
                request = connection.recv(65536)
                if not request:
                    return
                self.seen.append(request)
                connection.sendall(OK)

    def close(self) -> None:
        """Stop serving, by a connection without a request."""
        with socket.socket(socket.AF_UNIX) as last:
            last.connect(str(self.path))
        self._thread.join()
        self._listener.close()


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a socket, in an environment like that of a machine."""
    for name in ("FLY_FLAPS_BASE_URL", "EPHEMERA_URL", "FLY_API_TOKEN", "FLY_API_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FLY_MACHINE_ID", "m1")
    # The path of a socket may have no more than a hundred characters or so.
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setenv("EPHEMERA_HOME", folder)
        monkeypatch.setenv("EPHEMERA_API_SOCKET", f"{folder}/api")
        yield Path(folder)


@pytest.fixture
def served(inside: Path) -> Iterator[Served]:
    served = Served(inside / "api")
    yield served
    served.close()


@pytest.fixture(params=["sync", "async"])
def run(request: pytest.FixtureRequest) -> Callable[[Callable[[Any], Any]], Any]:
    """Return a function that makes a client and does something with it."""

    def blocking(do: Callable[[Any], Any]) -> Any:
        with Client(pace=AT_ONCE) as client:
            return do(client)

    def awaited(do: Callable[[Any], Any]) -> Any:
        async def go() -> Any:
            async with AsyncClient(pace=AT_ONCE) as client:
                return await do(client)

        return asyncio.run(go())

    return blocking if request.param == "sync" else awaited


def test_a_request_goes_through_the_socket_without_a_token(
    served: Served, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A proxy of the environment does not come between.
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    assert run(lambda c: c.machines.get("demo", "m1")).id == "m1"
    (request,) = served.seen
    assert request.startswith(b"GET /v1/apps/demo/machines/m1 HTTP/1.1\r\n")
    assert b"authorization" not in request.lower()


def test_logs_go_through_it_too(served: Served, run: Any) -> None:
    run(lambda c: c.logs.page("demo"))
    assert served.seen[0].startswith(b"GET /api/v1/apps/demo/logs HTTP/1.1\r\n")


@pytest.mark.usefixtures("served")
def test_flys_own_socket_is_found_by_its_path(
    inside: Path, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EPHEMERA_API_SOCKET")
    monkeypatch.setattr("ephemera.client.settings.FLY_SOCKET", str(inside / "api"))
    assert run(lambda c: c.machines.get("demo", "m1")).id == "m1"


def test_a_socket_where_nobody_serves_is_unreachable(inside: Path, run: Any) -> None:
    with pytest.raises(Unreachable, match=rf"at unix:{inside}/api"):
        run(lambda c: c.machines.start("demo", "m1"))


@pytest.mark.usefixtures("inside")
def test_a_path_that_is_too_long_for_a_socket_is_unreachable(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EPHEMERA_API_SOCKET", "/" + "x" * 500)
    with pytest.raises(Unreachable):
        run(lambda c: c.machines.start("demo", "m1"))


def test_the_embedded_platform_knows_a_machine_by_its_socket(
    inside: Path, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = {"image": "host", "init": {"exec": ["run"]}}
    with serving(inside / "home", driver="mock") as server:
        with Client(server.endpoint.url, server.token) as owner:
            owner.apps.create("demo")
            machine = owner.machines.create("demo", config=config)
            other = owner.machines.create("demo", config=config)
            owner.machines.wait("demo", machine.id)
        monkeypatch.setenv("EPHEMERA_API_SOCKET", f"{server.home}/api/{machine.id}/api")
        assert run(lambda c: c.tokens.current())[0].source_machine_id == machine.id
        assert run(lambda c: c.tokens.oidc(aud="me")).count(".") == 2
        with pytest.raises(Unauthorized):
            run(lambda c: c.machines.stop("demo", other.id))
        run(lambda c: c.machines.stop("demo", machine.id))
