"""Finding and starting the embedded platform, with a program that plays the platform."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.server import HTTPServer
from pathlib import Path

import pytest

from ephemera.client import local
from ephemera.client.local import ensure_platform, find_platform, recover_platform
from ephemera.errors import ConfigError
from ephemera.home import DEFAULT_LISTEN, Endpoint, read_endpoint, remove_endpoint, write_endpoint
from tests.unit.client.fake_platform import Handler

FAKE = Path(__file__).with_name("fake_platform.py")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A state folder whose platforms are fake, and are ended with the test."""
    python = tmp_path / "python"
    python.write_text(
        f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {shlex.quote(str(FAKE))} "$@"\n'
    )
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    home = tmp_path / "home"
    yield home
    _kill(home)


def _kill(home: Path) -> None:
    endpoint = read_endpoint(home)
    if endpoint:
        with suppress(ProcessLookupError):
            os.kill(endpoint.pid, signal.SIGKILL)
        # The lock is free when the process is gone.
        with (home / "platform.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)


def _script(home: Path, **said: str) -> None:
    home.mkdir(exist_ok=True)
    (home / "script.json").write_text(json.dumps(said))


def _starts(home: Path) -> list[list[object]]:
    path = home / "starts.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_nobody_serves_where_nothing_was_written(tmp_path: Path) -> None:
    assert find_platform(tmp_path) is None


def test_a_platform_is_started_detached_on_the_usual_port(folder: Path) -> None:
    endpoint = ensure_platform(folder)
    assert endpoint == read_endpoint(folder)
    assert find_platform(folder) == endpoint
    assert _starts(folder) == [[DEFAULT_LISTEN, None, True]]
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_platform_that_serves_is_used(folder: Path) -> None:
    first = ensure_platform(folder)
    assert ensure_platform(folder, listen="127.0.0.1:1", driver="container") == first
    assert len(_starts(folder)) == 1


def test_the_listen_address_and_the_driver_are_passed_on(folder: Path) -> None:
    ensure_platform(folder, listen="127.0.0.1:5555", driver="container")
    assert _starts(folder) == [["127.0.0.1:5555", "container", True]]


def test_another_port_is_taken_where_the_usual_one_is_in_use(folder: Path) -> None:
    _script(folder, **{DEFAULT_LISTEN: "error the port is in use"})
    ensure_platform(folder)
    assert [listen for listen, *_ in _starts(folder)] == [DEFAULT_LISTEN, "127.0.0.1:0"]


def test_a_chosen_port_that_is_in_use_is_an_error(folder: Path) -> None:
    _script(folder, **{"*": "error port 5555 is in use"})
    with pytest.raises(ConfigError, match="port 5555 is in use") as caught:
        ensure_platform(folder, listen="127.0.0.1:5555")
    assert str(folder / "platform.log") in caught.value.hint
    assert len(_starts(folder)) == 1


def test_a_platform_that_dies_at_once_leaves_word_in_its_log(folder: Path) -> None:
    _script(folder, **{"*": "crash"})
    with pytest.raises(ConfigError, match="ended without a word"):
        ensure_platform(folder)
    assert "a traceback, say" in (folder / "platform.log").read_text()


def test_an_interpreter_that_cannot_be_run_is_an_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(folder / "nowhere"))
    with pytest.raises(ConfigError, match="cannot be started"):
        ensure_platform(folder)


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be created"):
        ensure_platform(tmp_path / "file" / "home")


def test_many_at_once_find_the_same_platform(folder: Path) -> None:
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda _: ensure_platform(folder), range(6)))
    assert len({endpoint.pid for endpoint in found}) == 1


def test_a_platform_that_was_killed_is_started_again(folder: Path) -> None:
    first = ensure_platform(folder)
    _kill(folder)
    assert find_platform(folder) is None
    second = recover_platform(folder)
    assert second is not None
    assert second.pid != first.pid
    assert _starts(folder)[1][:2] == [first.url.removeprefix("http://"), first.driver]


def test_a_platform_that_was_taken_down_stays_down(folder: Path) -> None:
    ensure_platform(folder)
    _kill(folder)
    remove_endpoint(folder)
    assert recover_platform(folder) is None
    assert len(_starts(folder)) == 1


@pytest.mark.parametrize("said", ["another program", None])
def test_another_program_on_the_old_port_is_not_our_platform(
    tmp_path: Path, said: str | None
) -> None:
    other = type("Other", (Handler,), {"service": said})
    with HTTPServer(("127.0.0.1", 0), other) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        write_endpoint(tmp_path, Endpoint(url, os.getpid(), "process", 0.0, "0"))
        assert find_platform(tmp_path) is None
        thread.join()


def _pipe(said: bytes, *, close: bool = True) -> tuple[int, int]:
    reading, writing = os.pipe()
    os.write(writing, said)
    if close:
        os.close(writing)
    return reading, writing


@pytest.mark.parametrize(
    ("said", "line"),
    [(b"ready http://x\n", "ready http://x"), (b"", ""), (b"half", "half"), (b"\xff\n", "\ufffd")],
)
def test_a_line_is_read_to_its_end(said: bytes, line: str) -> None:
    reading, _ = _pipe(said)
    assert local._read_line(reading, 10.0) == line


def test_a_line_that_does_not_come_is_none() -> None:
    reading, writing = _pipe(b"no end of li", close=False)
    assert local._read_line(reading, 0.0) is None
    os.close(writing)


def test_a_platform_that_holds_the_lock_and_does_not_answer_is_an_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "_start", lambda *_: "error running somewhere")
    monkeypatch.setattr(local, "_ASK_AGAIN_S", 0.0)
    monkeypatch.setattr(local, "_START_TIMEOUT_S", 0.0)
    with pytest.raises(ConfigError, match="does not answer"):
        ensure_platform(folder)


def test_after_one_that_was_about_to_end_another_is_started(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "_ASK_AGAIN_S", 0.05)
    folder.mkdir()
    with ThreadPoolExecutor(1) as pool, (folder / "platform.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = pool.submit(ensure_platform, folder)
        while len(_starts(folder)) < 2:  # the first has found it held
            assert not found.done(), found.result()
            time.sleep(0.01)
        lock.close()
        assert found.result() == find_platform(folder)
