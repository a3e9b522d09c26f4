"""Only a platform that takes the folder's token counts as the platform of the folder."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ephemera.cli.running import find_running
from ephemera.home import Endpoint, write_endpoint


class Answering(BaseHTTPRequestHandler):
    """Answers those who show the token `right`."""

    body: bytes = json.dumps({"driver": "mock", "machines": {"started": 2}}).encode()

    def do_GET(self) -> None:
        welcome = self.headers["Authorization"] == "Bearer right"
        self.send_response(200 if welcome else 401)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - inherited
        """Be silent."""


@pytest.fixture
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A state folder whose platform answers."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        write_endpoint(tmp_path, Endpoint(url, 1, "mock", 0.0, "0.1.0"))
        (tmp_path / "token").write_text("right\n")
        yield tmp_path
        server.shutdown()
        thread.join()


def test_a_platform_that_takes_our_token_is_found(folder: Path) -> None:
    running = find_running(folder)
    assert running
    assert running.machines == {"started": 2}


def test_a_platform_that_refuses_our_token_is_not_ours(folder: Path) -> None:
    (folder / "token").write_text("wrong")
    assert find_running(folder) is None


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"service": "other"}', b"[]", b"null"])
def test_a_stranger_that_answers_anything_is_not_ours(
    folder: Path, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Answering, "body", body)
    assert find_running(folder) is None


@pytest.mark.parametrize("missing", ["token", "platform.json"])
def test_nothing_runs_where_a_file_is_missing(folder: Path, missing: str) -> None:
    (folder / missing).unlink()
    assert find_running(folder) is None


def test_nobody_listening_is_not_running(folder: Path) -> None:
    write_endpoint(folder, Endpoint("http://127.0.0.1:1", 1, "mock", 0.0, "0.1.0"))
    assert find_running(folder) is None
