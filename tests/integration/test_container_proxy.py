"""Apps in containers through the proxy: programs that listen at IPv4 only, and `.flycast` names."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx2
import pytest

from ephemera.testing.machines_api import SHELL, AppUnderTest, Subject
from ephemera.testing.serving import Server, serving
from tests import needs
from tests.network_world import computer

pytestmark = needs.containers

#: A program that runs in a machine of the image `host`, which has Python.
_PYTHON = "/usr/bin/python3"
_APP = """
    import http.server, os
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            said = os.environ["EPHEMERA_APP_URL"].encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)
    http.server.HTTPServer(("HOST", 8080), Handler).serve_forever()
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with (
        computer(),
        ExitStack() as stack,
    ):
        yield stack.enter_context(serving(tmp_path_factory.mktemp("platform"), driver="container"))


@pytest.fixture(scope="module")
def subject(server: Server) -> Subject:
    return Subject(server.endpoint.url, server.token, programs=SHELL)


def web(app: AppUnderTest, host: str, **service: Any) -> str:
    """Return a machine whose program listens at an address, with a check that passes."""
    check = {"type": "http", "path": "/", "interval": "1s", "timeout": "5s"}
    offered = {
        "internal_port": 8080,
        "autostart": True,
        "ports": [{"port": 80, "handlers": ["http"]}],
        "checks": [check],
        **service,
    }
    command = (_PYTHON, "-c", textwrap.dedent(_APP).replace("HOST", host))
    return app.created_and("started", command, services=[offered])


def asked(server: Server, app: AppUnderTest) -> httpx2.Response:
    """Return what the app answers through the proxy."""
    headers = {"Host": f"{app.name}.localhost"}
    return httpx2.get(server.endpoint.proxy_url, headers=headers, timeout=40)


def stop(app: AppUnderTest, machine: str) -> None:
    app.post(f"/machines/{machine}/stop", json={"signal": "SIGKILL"})
    app.get(f"/machines/{machine}/wait?state=stopped&timeout=20")


def test_a_program_that_listens_at_ipv4_only_is_checked_and_reached_and_woken(
    app: AppUnderTest, server: Server
) -> None:
    machine = web(app, "0.0.0.0")
    for _ in range(2):
        answer = asked(server, app)
        assert (answer.status_code, answer.text) == (200, f"http://{app.name}.flycast")
        stop(app, machine)
    assert app.get(f"/machines/{machine}")["state"] == "stopped"


def test_a_program_that_only_its_own_machine_reaches_is_said_not_to_listen(
    app: AppUnderTest, server: Server
) -> None:
    web(app, "127.0.0.1")
    answer = asked(server, app)
    assert answer.status_code == 502
    assert "the app is not listening on 0.0.0.0:8080" in answer.text
    assert "127.0.0.1:8080" in answer.text


def test_a_machine_wakes_an_app_of_its_organisation_by_its_flycast_name_and_no_other(
    app: AppUnderTest, subject: Subject, server: Server
) -> None:
    machine = web(app, "0.0.0.0")
    stop(app, machine)
    asks = """
        import sys, urllib.request, urllib.error
        for host in sys.argv[1:]:
            request = urllib.request.Request("http://" + host.split("@")[-1] + "/")
            if "@" in host:
                request.add_header("Host", host.split("@")[0])
            try:
                print(urllib.request.urlopen(request, timeout=30).read().decode())
            except urllib.error.HTTPError as error:
                print(error.code)
            except urllib.error.URLError as error:
                print("no such name")
    """
    name = f"{app.name}.flycast"
    with AppUnderTest.made(subject, app.http) as other:
        asker = other.created_and("started", ("sleep", "1000"))
        command = [_PYTHON, "-c", textwrap.dedent(asks), name, "none.flycast"]
        done = other.post(f"/machines/{asker}/exec", json={"command": command, "timeout": 40})
        assert done["stdout"].split("\n")[:2] == [f"http://{name}", "no such name"], done
        app.http.put(f"/ephemera/apps/{other.name}/network", json={"outside": False})
        command = [_PYTHON, "-c", textwrap.dedent(asks), name, f"{name}@[fdaa::3]"]
        done = other.post(f"/machines/{asker}/exec", json={"command": command, "timeout": 40})
        assert done["stdout"].split("\n")[:2] == ["no such name", "404"], done
