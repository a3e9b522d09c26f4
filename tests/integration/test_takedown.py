"""Taking down servers that do not do what they are told."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from ephemera.cli import takedown
from ephemera.cli.running import Running
from ephemera.errors import ConfigError
from ephemera.home import Endpoint, read_endpoint, write_endpoint
from ephemera.platform.apps.store import AppStore
from ephemera.platform.store import Store
from ephemera.testing.machines_api import AppUnderTest, Subject, answered
from ephemera.testing.serving import serving

#: Holds a state folder and will not end by SIGTERM.
STUBBORN = """
import fcntl, os, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
lock = open(sys.argv[1] + "/platform.lock", "w")
fcntl.flock(lock, fcntl.LOCK_EX)
print("held", flush=True)
while True:
    signal.pause()
"""


@contextmanager
def stubborn_server(folder: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", STUBBORN, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            assert server.stdout.readline() == "held\n"
            url = "http://127.0.0.1:1"
            write_endpoint(folder, Endpoint(url, server.pid, "mock", time.time(), "0"))
            yield server
        finally:
            server.kill()


def test_a_server_that_does_not_end_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("token")
    monkeypatch.setattr(takedown, "_SERVER_END_MAX_S", 0.2)
    told: list[str] = []
    with stubborn_server(tmp_path) as server:
        endpoint = read_endpoint(tmp_path)
        assert endpoint
        found = iter([Running(endpoint, {})])
        monkeypatch.setattr(takedown, "find_running", lambda _: next(found))
        assert takedown.take_down(tmp_path, keep_machines=True, tell=told.append)
        assert server.wait() == -9
    assert "is killed" in told[0]
    assert read_endpoint(tmp_path) is None


def test_a_server_that_does_not_answer_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(takedown, "_SERVER_END_MAX_S", 0.2)
    with (
        stubborn_server(tmp_path) as server,
        pytest.raises(ConfigError, match=f"does not answer: process {server.pid}"),
    ):
        takedown.take_down(tmp_path, tell=print)


def test_a_server_that_was_killed_just_now_is_none_that_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = iter([True, True, False])
    monkeypatch.setattr(takedown, "_is_held", lambda _: next(held))
    assert not takedown.take_down(tmp_path, tell=print)
    assert next(held, None) is None


def test_machines_that_are_being_destroyed_are_gone_first(tmp_path: Path) -> None:
    """Their programs may be told to end, and their files taken away, only after a while."""
    with serving(tmp_path) as server:
        subject = Subject(server.endpoint.url, server.token)
        with subject.connect() as http, AppUnderTest.made(subject, http) as app:
            machine = app.running()
            server.kill()
            store = Store(tmp_path / "platform.db")
            with store.engine.begin() as connection:  # as it is written before its program ends
                connection.execute(text("UPDATE machine SET state = 'destroying'"))
            store.close()
            said: list[str] = []
            assert takedown.take_down(tmp_path, tell=said.append)
            assert not any("stopped" in one for one in said)
            assert takedown.live_at_rest(tmp_path) == []
            assert not (tmp_path / "machines" / machine).exists()
            server.restart()


def test_machines_of_an_app_that_was_being_deleted_are_taken_down_too(tmp_path: Path) -> None:
    """The server was killed right after it had written down that the app is to go."""
    with serving(tmp_path) as server:
        subject = Subject(server.endpoint.url, server.token)
        with subject.connect() as http:
            app = AppUnderTest(subject, http)
            app_id = answered(http.post("/v1/apps", json={"app_name": app.name})).json()["id"]
            app.running()
        server.kill()
        store = Store(tmp_path / "platform.db")
        AppStore(store.engine).leave(app_id, time.time())
        store.close()
        (machine,) = takedown.live_at_rest(tmp_path)
        assert machine.app == ""
        assert takedown.take_down(tmp_path, tell=print)
        assert takedown.live_at_rest(tmp_path) == []
        assert list((tmp_path / "machines").glob("*")) == []


def test_a_folder_that_was_never_used_stays_as_it_is(tmp_path: Path) -> None:
    assert not takedown.take_down(tmp_path / "nothing", tell=print)
    assert not (tmp_path / "nothing").exists()
    assert not takedown.take_down(tmp_path, tell=print)
    assert not (tmp_path / "platform.db").exists()
