"""The server as a process: how it starts, refuses to start, stops, and what it leaves behind."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

from ephemera.errors import ConfigError
from ephemera.home import read_endpoint
from ephemera.platform.binding import listening
from ephemera.platform.settings import Settings
from ephemera.testing.machines_api import AppUnderTest, Subject
from ephemera.testing.serving import DidNotServe, Server, serving


def _tried(home: Path, listen: str = "127.0.0.1:0", *more: str) -> subprocess.CompletedProcess[str]:
    """Run a server that is expected to end by itself."""
    command = [sys.executable, "-m", "ephemera.platform", "--home", str(home), "--listen", listen]
    return subprocess.run([*command, *more], capture_output=True, text=True, timeout=50)


def _refusal(run: subprocess.CompletedProcess[str]) -> str:
    assert run.returncode == 1, run
    assert "Traceback" not in run.stderr, run.stderr
    last = run.stderr.strip().splitlines()[-1]
    assert last.startswith("error: ")
    return last


def _all_apps(server: Server) -> dict[str, Any]:
    answer = httpx2.get(f"{server.endpoint.url}/v1/apps?org_slug=personal", headers=server.headers)
    return dict(answer.raise_for_status().json())


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


class TestStart:
    def test_it_writes_down_where_it_serves_and_takes_the_note_away(self, home: Path) -> None:
        with serving(home) as server:
            assert read_endpoint(home) == server.endpoint
            assert httpx2.get(server.endpoint.url).json()["service"] == "ephemera"
        assert not (home / "platform.json").exists()

    def test_a_second_server_on_the_folder_is_refused_and_the_first_serves_on(
        self, home: Path
    ) -> None:
        with serving(home) as server:
            said = _refusal(_tried(home))
            assert str(home) in said
            assert server.endpoint.url in said
            assert read_endpoint(home) == server.endpoint
            assert _all_apps(server)["apps"] == []

    def test_a_port_in_use_is_refused_and_nothing_is_written_down(self, home: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            listen = f"127.0.0.1:{taken.getsockname()[1]}"
            assert listen in _refusal(_tried(home, listen))
        assert read_endpoint(home) is None
        with serving(home) as server:
            assert _all_apps(server)["apps"] == []

    @pytest.mark.parametrize(
        "listen", ["", "4280", "localhost:http", "127.0.0.1:99999", "no.such.host.invalid:0", ":0"]
    )
    def test_an_address_that_is_none_is_refused(self, listen: str) -> None:
        with pytest.raises(ConfigError) as refused, listening(None, listen, Settings()):
            pass
        assert "listen" in refused.value.message or listen in refused.value.message

    def test_a_refused_address_ends_the_server(self, home: Path) -> None:
        assert "4280" in _refusal(_tried(home, "4280"))

    def test_a_driver_that_is_not_there_is_refused(self, home: Path) -> None:
        assert "'warp'" in _refusal(_tried(home, "127.0.0.1:0", "--driver", "warp"))
        assert not (home / "platform.json").exists()

    def test_a_folder_where_a_file_is_in_the_way_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("mine")
        assert str(tmp_path / "file") in _refusal(_tried(tmp_path / "file"))
        assert str(tmp_path / "file") in _refusal(_tried(tmp_path / "file" / "below"))
        assert (tmp_path / "file").read_text() == "mine"

    @pytest.mark.parametrize("name", ["platform.db", "platform.lock", "logs", "machines", "token"])
    def test_something_else_in_the_place_of_a_part_is_refused_clearly(
        self, home: Path, name: str
    ) -> None:
        is_file = name in ("logs", "machines")
        home.mkdir()
        (home / name).write_text("in the way") if is_file else (home / name).mkdir()
        assert _refusal(_tried(home))

    def test_a_database_that_is_none_is_refused_and_kept(self, home: Path) -> None:
        home.mkdir()
        (home / "platform.db").write_bytes(b"this is no database, but it is somebody's " * 100)
        assert "platform.db" in _refusal(_tried(home))
        assert (home / "platform.db").read_bytes().startswith(b"this is no database")

    def test_a_note_of_a_dead_server_is_no_obstacle(self, home: Path) -> None:
        with serving(home) as server:
            server.kill()
            assert read_endpoint(home) is not None
            server.restart()
            assert _all_apps(server)["apps"] == []

    def test_the_ready_line_tells_why_it_does_not_serve(self, home: Path) -> None:
        with (
            serving(home),
            pytest.raises(DidNotServe, match="error running"),
            serving(home),
        ):
            pass


class TestToken:
    def test_only_its_owner_can_read_it_and_it_stays_the_same(self, home: Path) -> None:
        with serving(home) as server:
            token = server.token
            assert len(token) > 32
            assert (home / "token").stat().st_mode & 0o777 == 0o600
            server.stop()
            server.restart()
            assert server.token == token
            server.restart()
            assert server.token == token
            assert _all_apps(server)["apps"] == []

    def test_two_folders_have_two_tokens(self, tmp_path: Path) -> None:
        with serving(tmp_path / "a") as one, serving(tmp_path / "b") as other:
            assert one.token != other.token
            answer = httpx2.get(f"{other.endpoint.url}/v1/apps", headers=one.headers)
            assert answer.status_code == 401

    def test_what_a_folder_holds_is_for_its_owner_alone(self, home: Path) -> None:
        with serving(home.parent / "made" / "by" / "the" / "server") as server:
            _all_apps(server)
            assert server.home.stat().st_mode & 0o077 == 0

    def test_the_command_line_of_the_server_does_not_hold_it(self, home: Path) -> None:
        if not Path("/proc/self").exists():
            pytest.skip("needs /proc")
        with serving(home) as server:
            process = Path(f"/proc/{server.endpoint.pid}")
            assert server.token.encode() not in (process / "cmdline").read_bytes()
            assert server.token.encode() not in (process / "environ").read_bytes()


class TestStop:
    def test_open_waits_and_readers_do_not_hold_it_up(self, home: Path) -> None:
        with serving(home) as server, ThreadPoolExecutor(8) as threads:
            subject = Subject(server.endpoint.url, server.token)
            with subject.connect() as http, AppUnderTest.made(subject, http) as app:
                machine = app.running()
                token = app.http.get(f"/api/v1/apps/{app.name}/logs").json()["meta"]["next_token"]
                held = [
                    f"/v1/apps/{app.name}/machines/{machine}/wait?state=stopped",
                    f"/v1/apps/{app.name}/machines/{machine}/wait?state=destroyed",
                    f"/api/v1/apps/{app.name}/logs?next_token={token}&wait=60",
                ]
                asked = [threads.submit(_status, http, path) for path in held]
                # Answered after those above were read by the server.
                _all_apps(server)
                assert server.stop(timeout=50) == 0
                assert {one.result() for one in asked} <= {408, 503, 0, 200}
                server.restart()
                assert app.state(machine) == "started"
        assert not (home / "platform.json").exists()

    def test_it_stops_with_status_zero_and_is_gone(self, home: Path) -> None:
        with serving(home) as server:
            assert server.stop() == 0
            assert not (home / "platform.json").exists()
            with pytest.raises(httpx2.ConnectError):
                httpx2.get(server.endpoint.url)

    def test_a_second_signal_does_no_harm(self, home: Path) -> None:
        with serving(home) as server:
            for _ in range(3):
                server.stop()
            assert not (home / "platform.json").exists()

    def test_machines_run_on_and_are_the_same_afterwards(self, home: Path) -> None:
        with serving(home) as server:
            subject = Subject(server.endpoint.url, server.token)
            with subject.connect() as http, AppUnderTest.made(subject, http) as app:
                machine = app.created_and("started", ["sh", "-c", "echo $$; exec sleep 600"])
                before = app.get(f"/machines/{machine}")
                server.stop()
                server.restart()
                assert app.get(f"/machines/{machine}") == before

    @pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")
    @pytest.mark.parametrize("crash", [False, True], ids=["stopped", "killed"])
    def test_the_server_leaves_no_process_of_its_own_behind(
        self, home: Path, monkeypatch: pytest.MonkeyPatch, *, crash: bool
    ) -> None:
        monkeypatch.setenv("EPHEMERA_LIFECYCLE_TEST", str(home))
        with serving(home) as server:
            subject = Subject(server.endpoint.url, server.token)
            with subject.connect() as http, AppUnderTest.made(subject, http) as app:
                app.ended()
                assert _marked(home), "the server itself is marked"
                if crash:
                    server.kill()
                    server.restart()
        deadline = time.monotonic() + 60
        # Those that watch the server for its end cannot be waited for.
        while left := _marked(home):
            assert time.monotonic() < deadline, left
            time.sleep(0.02)


def _status(http: httpx2.Client, path: str) -> int:
    """Return the status of the answer, or 0 where the connection ended without one."""
    try:
        return http.get(path).status_code
    except httpx2.TransportError:
        return 0


def _marked(home: Path) -> list[str]:
    """Return the command lines of living processes that the server of this test began."""
    sign = b"EPHEMERA_LIFECYCLE_TEST=" + os.fsencode(home)
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if sign in (process / "environ").read_bytes().split(b"\0"):
                found.append(f"{process.name}: {(process / 'cmdline').read_bytes()[:300]!r}")
        except OSError:
            continue  # it has just ended, or is another user's
    return found
