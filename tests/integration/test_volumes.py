"""Volumes of a server that is killed while it copies, and what it says when there is no room."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ephemera.testing.clock import PlatformClock
from ephemera.testing.machines_api import MOCK, AppUnderTest, Subject, refused
from ephemera.testing.serving import Server

DRIVER = "mock"
_TIMEOUT_S = 60.0
_DAY_S = 24 * 3600.0
#: So many that a copy of them is hardly done when the server is killed right after asking for it.
_FILES = 800


@pytest.fixture
def app(server: Server) -> Iterator[AppUnderTest]:
    subject = Subject(server.endpoint.url, server.token, programs=MOCK)
    with subject.connect() as http, AppUnderTest.made(subject, http) as app:
        yield app


def _made(app: AppUnderTest, **body: Any) -> str:
    return str(app.post("/volumes", json={"name": "data", **body})["id"])


def _filled(server: Server, app: AppUnderTest) -> str:
    volume = _made(app)
    for number in range(_FILES):
        (_data(server, volume) / f"file{number}").write_text(f"{number}")
    return volume


def _data(server: Server, volume: str) -> Path:
    return server.home / "volumes" / volume / "data"


def _until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _TIMEOUT_S
    while not is_so():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)  # the API has no wait for volumes


def _statuses(app: AppUnderTest, volume: str) -> list[str]:
    return [one["status"] for one in app.get(f"/volumes/{volume}/snapshots")]


def test_a_fork_is_whole_though_the_server_was_killed_while_it_copied(
    server: Server, app: AppUnderTest
) -> None:
    source = _filled(server, app)
    fork = _made(app, source_volume_id=source)
    server.kill()
    server.restart()
    _until(lambda: bool(app.get(f"/volumes/{fork}")["state"] == "created"))
    found = {path.name: path.read_text() for path in _data(server, fork).iterdir()}
    assert found == {f"file{number}": f"{number}" for number in range(_FILES)}


def test_a_snapshot_is_whole_though_the_server_was_killed_while_it_copied(
    server: Server, app: AppUnderTest
) -> None:
    source = _filled(server, app)
    app.post(f"/volumes/{source}/snapshots")
    server.kill()
    server.restart()
    _until(lambda: _statuses(app, source) == ["created"])
    (snapshot,) = (_data(server, source).parent / "snapshots").glob("vs_*")
    assert len(list(snapshot.iterdir())) == _FILES


def test_everything_is_as_it_was_after_a_restart(server: Server, app: AppUnderTest) -> None:
    volume = _made(app, size_gb=7)
    app.ended(mounts=[{"volume": volume, "path": "/data"}])
    app.post(f"/volumes/{volume}/snapshots")
    _until(lambda: _statuses(app, volume) == ["created"])
    gone = _made(app)
    app.ask("DELETE", f"/volumes/{gone}")
    _until(lambda: bool(app.get(f"/volumes/{gone}")["state"] == "destroyed"))
    paths = ("/volumes", f"/volumes/{volume}", f"/volumes/{volume}/snapshots", f"/volumes/{gone}")
    before = [app.get(path) for path in paths]
    server.restart()
    assert [app.get(path) for path in paths] == before


def test_days_pass_by_the_clock_of_the_platform(server: Server, app: AppUnderTest) -> None:
    volume = _made(app, snapshot_retention=2)
    (_data(server, volume) / "file").write_text("something")
    clock = PlatformClock(server.endpoint.url, server.token)
    clock.move(_DAY_S + 60)
    _until(lambda: _statuses(app, volume) == ["created"])
    answer = app.ask("PUT", f"/volumes/{volume}", json={"auto_backup_enabled": False})
    assert answer.json()["auto_backup_enabled"] is False
    clock.move(2 * _DAY_S)
    _until(lambda: _statuses(app, volume) == [])
    clock.close()


def test_what_was_asked_of_encryption_is_answered_with_the_truth(app: AppUnderTest) -> None:
    assert app.post("/volumes", json={"name": "data", "encrypted": True})["encrypted"] is False


def test_a_raw_volume_is_refused_by_name(app: AppUnderTest) -> None:
    why = refused(app.ask("POST", "/volumes", json={"name": "data", "fstype": "raw"}), 400)
    assert why.startswith("unsupported: fstype 'raw'")


def test_a_server_stops_at_once_while_it_copies(server: Server, app: AppUnderTest) -> None:
    source = _filled(server, app)
    forks = [_made(app, source_volume_id=source) for _ in range(3)]
    assert server.stop(timeout=50) == 0
    server.restart()
    _until(lambda: {one["state"] for one in app.get("/volumes")} == {"created"})
    assert all(len(list(_data(server, fork).iterdir())) == _FILES for fork in forks)
