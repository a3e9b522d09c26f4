"""What programs in containers find in their network: names, the API, each other, the world.

A server runs with the container driver on a computer of the test's own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from ephemera.testing.machines_api import SHELL, AppUnderTest, Subject, answered
from ephemera.testing.serving import Server, serving
from tests import needs
from tests.network_world import computer, internet

pytestmark = needs.containers

WORLD = "192.0.2.1"
#: A program that runs in a machine of the image `host`, which has Python.
_PYTHON = "/usr/bin/python3"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with computer() as host, ExitStack() as stack:
        internet(host, stack).serve(WORLD, 80)
        with serving(tmp_path_factory.mktemp("platform"), driver="container") as served:
            yield served


@pytest.fixture(scope="module")
def subject(server: Server) -> Subject:
    return Subject(server.endpoint.url, server.token, programs=SHELL)


def run(app: AppUnderTest, machine: str, program: str, *arguments: str) -> str:
    """Return what a program of Python prints in a machine."""
    command = [_PYTHON, "-c", textwrap.dedent(program), *arguments]
    done = app.post(f"/machines/{machine}/exec", json={"command": command, "timeout": 50})
    assert done["exit_code"] == 0, done
    return str(done["stdout"]).strip()


def started(app: AppUnderTest) -> str:
    return app.created_and("started", ("sleep", "1000"))


def found(app: AppUnderTest, machine: str, name: str) -> list[str]:
    """Return the addresses that a name has in a machine, as any program would look them up."""
    program = """
        import socket, sys
        try:
            print(*sorted({one[4][0] for one in socket.getaddrinfo(sys.argv[1], 80)}))
        except socket.gaierror:
            pass
    """
    return run(app, machine, program, name).split()


def test_a_machine_finds_the_machines_of_its_app_by_name_and_no_others(
    app: AppUnderTest, subject: Subject
) -> None:
    one, two = started(app), started(app)
    addresses = {machine: app.get(f"/machines/{machine}")["private_ip"] for machine in (one, two)}
    assert found(app, one, f"{app.name}.internal") == sorted(addresses.values())
    assert found(app, one, f"{two}.vm.{app.name}.internal") == [addresses[two]]
    assert found(app, one, "_api.internal") == ["fdaa::3"]
    with AppUnderTest.made(subject, app.http) as other:
        stranger = started(other)
        assert found(other, stranger, f"{app.name}.internal") == []


def test_a_machine_reaches_the_api_by_its_name_with_a_token_and_by_its_socket_without(
    app: AppUnderTest, server: Server
) -> None:
    machine = started(app)
    by_name = """
        import os, sys, urllib.error, urllib.request
        url = os.environ["FLY_FLAPS_BASE_URL"] + "/v1/apps/" + os.environ["FLY_APP_NAME"]
        for headers in ({}, {"Authorization": "Bearer " + sys.argv[1]}):
            try:
                print(urllib.request.urlopen(urllib.request.Request(url, headers=headers)).status)
            except urllib.error.HTTPError as error:
                print(error.code)
    """
    assert run(app, machine, by_name, server.token).split() == ["401", "200"]
    by_socket = """
        import http.client, os, socket
        connection = http.client.HTTPConnection("localhost")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(os.environ["EPHEMERA_API_SOCKET"])
        app, machine = os.environ["FLY_APP_NAME"], os.environ["FLY_MACHINE_ID"]
        connection.request("GET", f"/v1/apps/{app}/machines/{machine}")
        print(connection.getresponse().status)
    """
    assert run(app, machine, by_socket) == "200"


def test_a_machine_has_so_many_connections_to_the_api_and_no_more(app: AppUnderTest) -> None:
    held = """
        import socket
        lines = [socket.create_connection(("_api.internal", 4280)) for _ in range(65)]
        print(lines[-1].makefile().readline())
        lines[0].close()
        lines[1].sendall(b"GET / HTTP/1.1\\r\\nhost: it\\r\\n\\r\\n")
        print(lines[1].makefile().readline())
    """
    first, second = run(app, started(app), held).splitlines()[::2]
    assert first == "HTTP/1.1 503 Service Unavailable"
    assert "503" not in second


def test_the_switch_of_an_app_takes_the_world_away_and_gives_it_back(app: AppUnderTest) -> None:
    machine = started(app)
    asks = """
        import socket, sys
        wait_s = float(sys.argv[2])
        try:
            print(socket.create_connection((sys.argv[1], 80), timeout=wait_s).recv(100).decode())
        except OSError as error:
            print("refused")
    """
    path = f"/ephemera/apps/{app.name}/network"
    assert run(app, machine, asks, WORLD, "15") == "192.0.2.2"
    for outside, wait_s, said in ((False, "2", "refused"), (True, "15", "192.0.2.2")):
        answered(app.http.put(path, json={"outside": outside}))
        assert run(app, machine, asks, WORLD, wait_s) == said


def test_a_check_of_a_machine_is_asked_over_its_private_network(app: AppUnderTest) -> None:
    program = """
        import http.server, socket
        class Server(http.server.HTTPServer):
            address_family = socket.AF_INET6
        Server(("::", 8080), http.server.SimpleHTTPRequestHandler).serve_forever()
    """
    check = {"type": "tcp", "port": 8080, "interval": "1s", "timeout": "2s"}
    command = (_PYTHON, "-c", textwrap.dedent(program))
    machine = app.created_and("started", command, checks={"up": check})
    deadline = time.monotonic() + 40
    while app.get(f"/machines/{machine}")["checks"][0]["status"] != "passing":
        assert time.monotonic() < deadline, app.get(f"/machines/{machine}")["checks"]
        time.sleep(0.05)


def test_a_network_outlives_a_server_that_is_killed(app: AppUnderTest, server: Server) -> None:
    one, two = started(app), started(app)
    server.kill()
    server.restart()
    address = app.get(f"/machines/{two}")["private_ip"]
    assert found(app, one, f"{two}.vm.{app.name}.internal") == [address]
    three = started(app)
    listens = (
        "import socket, sys; s = socket.create_server((sys.argv[1], 9), family=10); s.accept()"
    )
    own = app.get(f"/machines/{three}")["private_ip"]
    app.post(
        f"/machines/{three}/exec",
        json={"command": ["sh", "-c", f"{_PYTHON} -c '{listens}' {own} >/dev/null 2>&1 &"]},
    )
    connects = """
        import socket, sys, time
        for _ in range(300):
            try:
                connection = socket.create_connection((sys.argv[1], 9), timeout=15)
                sys.exit(print(connection.getpeername()[0]))
            except ConnectionRefusedError:
                time.sleep(0.05)
    """
    assert run(app, one, connects, own) == own, "old machines and new ones are in one network"


_ROOT = Path(__file__).parents[2]
_JOB = """
import ephemera
from tests.integration.job_tasks import add
job = add.enqueue(1, 2)
print(job.result(timeout=50))
from ephemera.jobs.runtime import runtime
print(*(attempt.report_url for attempt in runtime.store().attempts(job.id)))
"""


def test_a_task_reports_to_its_supervisor_over_the_network(server: Server, http: Any) -> None:
    host = answered(http.get("/ephemera/reach")).json()["host"]
    assert host.startswith("100.")
    environ = {**os.environ, "EPHEMERA_HOME": str(server.home)}
    done = subprocess.run(
        [sys.executable, "-c", _JOB],
        cwd=_ROOT,  # its task is imported from there
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result, url = done.stdout.split()
    assert result == "3"
    assert url.startswith(f"http://{host}:")
