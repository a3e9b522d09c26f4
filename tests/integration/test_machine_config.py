"""What only an embedded platform shows of a config: real programs, moved clocks, killed servers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import pytest

from ephemera.testing.clock import PlatformClock
from ephemera.testing.faults import Faults
from ephemera.testing.machines_api import MOCK, SHELL, AppUnderTest, Subject
from ephemera.testing.serving import Server, serving
from tests.ports import free_port

HOUR, DAY = 3600.0, 86_400.0


@pytest.fixture
def server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Server]:
    with serving(tmp_path, driver=getattr(request, "param", "mock")) as server:
        yield server


@pytest.fixture
def app(server: Server) -> Iterator[AppUnderTest]:
    programs = MOCK if server.driver == "mock" else SHELL
    subject = Subject(server.endpoint.url, server.token, programs=programs)
    with subject.connect() as http, AppUnderTest.made(subject, http) as app:
        yield app


def _starts(app: AppUnderTest, machine: str) -> list[str]:
    """Return who asked for each start of a machine, oldest first."""
    events = reversed(app.get(f"/machines/{machine}/events"))
    return [
        one["source"] for one in events if (one["type"], one["status"]) == ("start", "starting")
    ]


def _after(app: AppUnderTest, machine: str) -> str:
    return str(app.get(f"/machines/{machine}/events")[0]["id"])


def _stopped_since(app: AppUnderTest, machine: str, event: str) -> None:
    wait = {"state": "stopped", "from_event_id": event, "timeout": 20}
    app.get(f"/machines/{machine}/wait", params=wait)


def test_a_scheduled_machine_runs_when_the_clock_says_so(server: Server, app: AppUnderTest) -> None:
    machine = app.ended(schedule="hourly")
    before = _after(app, machine)
    clock = PlatformClock(server.endpoint.url, server.token)
    clock.move(HOUR + 1)
    _stopped_since(app, machine, before)
    assert _starts(app, machine) == ["flyd"]


def test_a_server_that_was_killed_keeps_the_schedule(server: Server, app: AppUnderTest) -> None:
    whole = app.config(app.subject.programs.exits(0), schedule="daily")
    machine = app.post("/machines", json={"config": whole, "skip_launch": True})["id"]
    app.reaches(machine, "stopped")
    before = _after(app, machine)
    server.kill()
    server.restart()
    assert _starts(app, machine) == []
    PlatformClock(server.endpoint.url, server.token).move(DAY + 1)
    _stopped_since(app, machine, before)
    assert _starts(app, machine) == ["flyd"]


@pytest.mark.parametrize("server", ["process"], indirect=True)
def test_a_config_is_the_same_after_the_server_was_killed(
    server: Server, app: AppUnderTest
) -> None:
    config: dict[str, Any] = {
        **app.config(app.subject.programs.runs),
        "checks": {"alive": {"type": "tcp", "port": 1, "interval": "1h"}},
        "services": [{"internal_port": 8080, "protocol": "tcp", "autostop": "stop"}],
        "schedule": "weekly",
        "dns": {"searches": ["internal"]},
        "of_the_future": {"a": [1, None]},
    }
    machine = app.post("/machines", json={"config": config})["id"]
    app.reaches(machine, "started")
    before = app.get(f"/machines/{machine}")
    server.kill()
    server.restart()
    after = app.get(f"/machines/{machine}")
    assert after["config"] == before["config"]
    assert after["state"] == "started"
    assert [one["name"] for one in after["checks"]] == ["alive"]


_SERVES = """
import http.server, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(204 if self.path == '/up' else 500)
        self.end_headers()
    def log_message(self, *_): ...
http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), Answer).serve_forever()
"""


@pytest.mark.parametrize("server", ["process"], indirect=True)
def test_checks_find_out_about_a_real_program(server: Server, app: AppUnderTest) -> None:
    port = free_port()
    check = {"type": "http", "port": port, "interval": "1s", "timeout": "30s"}
    checks = {"up": {**check, "path": "/up"}, "down": {**check, "path": "/down"}}
    program = [sys.executable, "-c", _SERVES, str(port)]
    machine = app.created_and("started", program, checks=checks)
    said = _health_lines(app, 2)
    assert f"Health check 'up' on port {port} is now passing." in said
    assert f"Health check 'down' on port {port} has failed." in said
    found = {one["name"]: one for one in app.get(f"/machines/{machine}")["checks"]}
    assert (found["up"]["status"], found["up"]["output"]) == ("passing", "204 No Content")
    assert found["down"]["status"] == "critical"
    assert "/down" not in (server.home / "platform.log").read_text()


def _health_lines(app: AppUnderTest, tell: int) -> set[str]:
    """Return what the checks said in the log, once `tell` of them have passed or failed for good.

    A check that came before its program listened says first that it failed.
    """
    found: set[str] = set()
    token = ""
    while sum("passing" in line or "down" in line for line in found) < tell:
        query = {"next_token": token, "wait": "20"} if token else {}
        page = _page(app, query)
        token = page["meta"]["next_token"]
        lines = [one["attributes"] for one in page["data"]]
        found |= {
            line["message"] for line in lines if line["meta"]["event"]["provider"] == "health"
        }
    return found


def _page(app: AppUnderTest, query: dict[str, str]) -> Any:
    answer = app.http.get(f"/api/v1/apps/{app.name}/logs", params=query)
    assert answer.status_code == httpx2.codes.OK, answer.text
    return answer.json()


@pytest.mark.parametrize("server", ["process", "mock"], indirect=True)
def test_a_standby_takes_over_from_a_machine_that_is_lost(
    server: Server, app: AppUnderTest
) -> None:
    watched = app.running()
    standby = app.created_and("stopped", app.subject.programs.runs, standbys=[watched])
    with closing(Faults(server.endpoint.url, server.token)) as faults:
        faults.lose(app.name, watched)
        app.reaches(watched, "stopped")
        app.reaches(standby, "started")
    assert _starts(app, standby) == ["flyd"]
    assert app.exit_of(watched)["exit_code"] == -1
