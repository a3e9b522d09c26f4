"""The platform's own listeners: an app of a machine is reached by its name, plain and with TLS."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from ephemera.home import read_endpoint
from ephemera.platform.binding import bind_somewhere
from ephemera.platform.settings import Settings
from ephemera.testing.serving import DidNotServe, Server, serving
from tests.ports import free_port, lasting_proxy

APP = """
import http.server, sys

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        said = str(self.headers).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_):
        pass

http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("home"), driver="process") as one:
        yield one


@pytest.fixture(scope="module")
def app(server: Server) -> str:
    """Have a machine that serves an app; its name."""
    port = free_port()
    ports = [{"port": 80, "handlers": ["http"]}, {"port": 443, "handlers": ["tls", "http"]}]
    config = {
        "image": "host",
        "init": {"exec": [sys.executable, "-c", APP, str(port)]},
        "services": [{"protocol": "tcp", "internal_port": port, "ports": ports}],
    }
    with httpx2.Client(base_url=server.endpoint.url, headers=server.headers, timeout=30) as api:
        api.post("/v1/apps", json={"name": "demo"}).raise_for_status()
        api.post("/v1/apps/demo/machines", json={"config": config}).raise_for_status()
    return "demo"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_app_is_served_by_its_name(server: Server, app: str, scheme: str) -> None:
    endpoint = server.endpoint
    url = endpoint.proxy_url if scheme == "http" else endpoint.proxy_tls_url
    port = urlsplit(url).port
    host = f"{app}.localhost:{port}"
    with httpx2.Client(verify=False, trust_env=False, http2=True, timeout=30) as http:
        answer = http.get(
            url, headers={"Host": host}, extensions={"sni_hostname": f"{app}.localhost"}
        )
    assert answer.status_code == 200, answer.text
    told = answer.text.lower()
    assert f"host: {host}\n" in told
    assert f"x-forwarded-proto: {scheme}\n" in told
    assert f"x-forwarded-port: {port}\n" in told


def test_a_name_that_is_no_app_is_said_so(server: Server) -> None:
    answer = httpx2.get(
        server.endpoint.proxy_url, headers={"Host": "nobody.localhost"}, trust_env=False, timeout=30
    )
    assert answer.status_code == 404
    assert "no app 'nobody'" in answer.text


def test_the_proxy_is_where_it_was_asked_to_be_or_the_platform_says_why_not(tmp_path: Path) -> None:
    where = f"127.0.0.1:{free_port()}"
    with bind_somewhere(where):
        settings = Settings(proxy=where)
        said = f"cannot listen on {where}.*--proxy HOST:PORT"
        with (
            pytest.raises(DidNotServe, match=said),
            serving(tmp_path, driver="mock", settings=settings),
        ):
            pass
    with serving(tmp_path, driver="mock", settings=settings) as server:
        assert server.endpoint.proxy_url == f"http://{where}"


def test_a_killed_platform_comes_back_with_its_proxy_where_it_was(tmp_path: Path) -> None:
    with serving(tmp_path, driver="mock", settings=lasting_proxy()) as server:
        before = server.endpoint
        server.kill()
        server.restart()
        after = read_endpoint(tmp_path)
        assert after is not None
        assert (after.proxy_url, after.proxy_tls_url) == (before.proxy_url, before.proxy_tls_url)
        written = json.loads((tmp_path / "platform.json").read_text())
        assert written["proxy_url"] == before.proxy_url


def test_a_usual_port_that_is_taken_is_replaced_by_a_free_one() -> None:
    with bind_somewhere("127.0.0.1:0") as taken:
        host, port = taken.getsockname()
        with bind_somewhere(f"{host}:{port}") as other:
            assert other.getsockname()[1] != port
            assert isinstance(other, socket.socket)
