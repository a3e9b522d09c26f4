"""The platform is killed with SIGKILL before and after each write of the deletion of an app.

What must hold each time, once the platform serves again: either the app is as it was and can be
deleted again, or nobody finds it and nothing of it is left. Never something in between.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from ephemera.testing.machines_api import AppUnderTest, Subject
from ephemera.testing.serving import Server, serving
from tests.faults.mortality import until_it_serves, writes_to_die_at

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

_TIMEOUT_S = 30.0
#: The intention, the two moves of each of two machines, and the rows at the end.
_WRITES_MIN = 6


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path / "home") as server:
        yield server


def furnished(server: Server) -> str:
    """Return the name of a new app that has a bit of everything."""
    subject = Subject(server.endpoint.url, server.token)
    with subject.connect() as http:
        app = AppUnderTest(subject, http)
        http.post("/v1/apps", json={"app_name": app.name}).raise_for_status()
        app.running()
        app.running(metadata={"second": "yes"})
        app.post("/ip_assignments", json={"type": "v4"})
        app.post("/volumes", json={"name": "data"})
        app.ask("POST", "/secrets/KEY", json={"value": "a value"}).raise_for_status()
        return app.name


def delete_while_it_dies(server: Server, app: str, number: int, when: str) -> bool:
    """Delete an app on a platform that dies at a write; return whether it did."""
    server.kill()
    address = server.endpoint.url.removeprefix("http://")
    program = [sys.executable, "-m", "tests.faults.mortal_platform", str(number), when]
    program += ["--home", str(server.home), "--listen", address]
    with (server.home / "mortal.log").open("ab") as log:
        mortal = subprocess.Popen(program, stdin=subprocess.DEVNULL, stderr=log)
    try:
        until_it_serves(server, mortal)
        answer = httpx2.delete(
            f"{server.endpoint.url}/v1/apps/{app}?force=true",
            headers=server.headers,
            timeout=_TIMEOUT_S,
        )
        assert answer.status_code == 202, answer.text
    except httpx2.TransportError:
        mortal.wait(_TIMEOUT_S)
    finally:
        died = mortal.poll() is not None
        mortal.kill()
        mortal.wait()
    return died


def check(server: Server, app: str) -> None:
    url = f"{server.endpoint.url}/v1/apps/{app}"
    with httpx2.Client(headers=server.headers, timeout=_TIMEOUT_S) as http:
        if http.get(url).is_success:
            assert len(http.get(f"{url}/machines").json()) == 2
            assert len(http.get(f"{url}/ip_assignments").json()["ips"]) == 1
            assert http.delete(f"{url}?force=true").status_code == 202
        assert http.get(url).status_code == 404
    until_nothing_is_left(server)


def until_nothing_is_left(server: Server) -> None:
    deadline = time.monotonic() + _TIMEOUT_S
    while left := what_is_left(server):
        assert time.monotonic() < deadline, left
        time.sleep(0.02)  # nobody tells when the next server is done with it


def what_is_left(server: Server) -> dict[str, int]:
    """Return how much there is of any app."""
    with closing(sqlite3.connect(server.home / "platform.db", timeout=_TIMEOUT_S)) as database:
        tables = ("app", "machine", "event", "ip_assignment", "secret", "volume")
        rows = {
            table: database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in tables
        }
    folders = {
        name: len(list((server.home / name).glob("*"))) for name in ("machines", "logs", "volumes")
    }
    return {name: count for name, count in (rows | folders).items() if count}


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_deletion_that_is_killed_at_any_write_leaves_all_or_nothing(
    server: Server, when: str
) -> None:
    for writes in writes_to_die_at(when):
        app = furnished(server)
        died = delete_while_it_dies(server, app, writes, when)
        server.restart()
        check(server, app)
        if not died:
            break
    assert writes > _WRITES_MIN
