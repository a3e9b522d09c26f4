"""Apps through the proxy of a platform that really runs: from a name to an answer, and to rest."""

from __future__ import annotations

import ssl
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

from ephemera.client.own.addresses import OwnAddresses
from ephemera.testing.clock import PlatformClock
from ephemera.testing.machines_api import AppUnderTest
from ephemera.testing.serving import Server, serving
from tests.ports import free_port, lasting_proxy

_PROGRAM = """
    import http.server, os, sys, urllib.request
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        def do_GET(self):
            if self.path == "/again":  # as any program would that is told where the app is
                said = urllib.request.urlopen(os.environ["EPHEMERA_APP_URL"]).read()
            else:
                said = self.headers["Host"].encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("platform"), settings=lasting_proxy()) as served:
        yield served


_PORTS = (
    {"port": 80, "handlers": ["http"]},
    {"port": 443, "handlers": ["tls", "http"]},
)


def web(app: AppUnderTest, *more: dict[str, Any]) -> str:
    """Return a machine that answers requests, and is stopped when it has had none."""
    internal = free_port()
    command = (sys.executable, "-c", textwrap.dedent(_PROGRAM), str(internal))
    service = {
        "internal_port": internal,
        "autostart": True,
        "autostop": "stop",
        "ports": [*_PORTS, *more],
    }
    return app.created_and("started", command, services=[service])


def asked(server: Server, app: AppUnderTest, url: str = "") -> httpx2.Response:
    """Return what the app answers at the plain port, or at a URL of this computer."""
    headers = {"Host": f"{app.name}.localhost"}
    return httpx2.get(url or server.endpoint.proxy_url, headers=headers, timeout=40)


def until(look: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 40
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_machine_sleeps_when_nobody_asks_and_wakes_when_somebody_does(
    app: AppUnderTest, server: Server
) -> None:
    machine = web(app)
    answer = asked(server, app)
    assert (answer.status_code, answer.text) == (200, f"{app.name}.localhost")
    clock = PlatformClock(server.endpoint.url, server.token)

    def is_stopped() -> bool:
        clock.move(301)
        return app.state(machine) == "stopped"

    until(is_stopped)
    clock.close()
    assert asked(server, app).status_code == 200
    assert app.state(machine) == "started"


def test_a_machine_finds_its_app_by_no_name_that_it_would_have_to_resolve(
    app: AppUnderTest, server: Server
) -> None:
    web(app)
    answer = asked(server, app, f"{server.endpoint.proxy_url}/again")
    port = httpx2.URL(server.endpoint.proxy_url).port
    assert (answer.status_code, answer.text) == (200, f"{app.name}.localhost:{port}")


def test_a_server_that_was_killed_serves_its_apps_again(app: AppUnderTest, server: Server) -> None:
    machine = web(app)
    assert asked(server, app).status_code == 200
    before = server.endpoint.proxy_url
    server.kill()
    server.restart()
    assert server.endpoint.proxy_url == before
    assert asked(server, app).status_code == 200
    assert app.state(machine) == "started"


def test_an_app_is_served_at_each_port_that_it_offers_and_it_is_told_where(
    app: AppUnderTest, server: Server
) -> None:
    http, raw = free_port(), free_port()
    web(app, {"port": http, "handlers": ["http"]}, {"port": raw})
    with OwnAddresses(server.endpoint.url, server.token) as own:
        until(lambda: len(own.of(app.name).urls) == 3)
        found = own.of(app.name)
    plain = httpx2.URL(server.endpoint.proxy_url).port
    assert found.urls[1:] == [f"http://{app.name}.localhost:{port}" for port in (plain, http)]
    assert found.urls[0].startswith(f"https://{app.name}.localhost:")
    assert [(one.port, one.address) for one in found.ports] == [(raw, f"127.0.0.1:{raw}")]
    assert asked(server, app, f"http://127.0.0.1:{http}").status_code == 200
    assert httpx2.get(f"http://127.0.0.1:{raw}", timeout=20).status_code == 200


def test_whoever_trusts_the_authority_of_the_platform_sees_no_warning(
    app: AppUnderTest, server: Server
) -> None:
    web(app)
    with OwnAddresses(server.endpoint.url, server.token) as own:
        trusting = ssl.create_default_context(cadata=own.authority())
    name = f"{app.name}.localhost"
    more: Any = {"headers": {"Host": name}, "extensions": {"sni_hostname": name}}
    with httpx2.Client(verify=trusting, trust_env=False, timeout=40) as client:
        assert client.get(server.endpoint.proxy_tls_url, **more).status_code == 200
    with httpx2.Client(trust_env=False, timeout=40) as client, pytest.raises(httpx2.ConnectError):
        client.get(server.endpoint.proxy_tls_url, **more)
