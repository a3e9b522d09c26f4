"""The clients and the embedded platform that they start themselves."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ephemera.client import AsyncClient, Client, ensure_platform
from ephemera.client.attempt import Pace
from ephemera.errors import Unreachable
from ephemera.home import read_endpoint
from tests.ports import free_port

#: No time passes between retries.
AT_ONCE = Pace(chance=lambda: 0.0)
Run = Callable[..., None]


@pytest.fixture
def _in_a_project(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Be in a folder with modules whose names are those of others that a platform needs."""
    project = tmp_path_factory.mktemp("project")
    for name in ("secrets", "starlette"):
        (project / f"{name}.py").write_text("raise ImportError('this is the project')\n")
    monkeypatch.chdir(project)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, _in_a_project: None) -> Iterator[Path]:
    """A state folder, in an environment that chooses nothing else."""
    names = "FLY_FLAPS_BASE_URL EPHEMERA_URL FLY_MACHINE_ID FLY_API_TOKEN EPHEMERA_API_SOCKET"
    for name in names.split():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("EPHEMERA_HOME", str(tmp_path))
    yield tmp_path
    _end(tmp_path, signal.SIGTERM)


def _end(folder: Path, signal_: signal.Signals) -> None:
    """End the platform of a folder and return when it is gone."""
    endpoint = read_endpoint(folder)
    if endpoint:
        os.kill(endpoint.pid, signal_)
        with (folder / "platform.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
        # Its lock may be gone before its sockets are. It is a child of ours, which is waited for.
        while _is_there(endpoint.pid):
            time.sleep(0.01)


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture(params=["sync", "async"])
def run(request: pytest.FixtureRequest) -> Run:
    """Return a function that does things with one client, one after the other."""

    def blocking(*steps: Callable[[Any], Any]) -> None:
        with Client(pace=AT_ONCE) as client:
            for step in steps:
                step(client)

    def awaited(*steps: Callable[[Any], Any]) -> None:
        async def go() -> None:
            async with AsyncClient(pace=AT_ONCE) as client:
                for step in steps:
                    result = step(client)
                    if result is not None:
                        await result

        asyncio.run(go())

    return blocking if request.param == "sync" else awaited


def test_the_first_request_starts_it_and_a_killed_one_is_started_again(
    folder: Path, run: Run
) -> None:
    pids: list[int] = []

    def remember_and_kill(_: object) -> None:
        endpoint = read_endpoint(folder)
        assert endpoint
        pids.append(endpoint.pid)
        _end(folder, signal.SIGKILL)

    run(
        lambda client: client.apps.create("demo"),
        remember_and_kill,
        lambda client: client.apps.get("demo"),
    )
    endpoint = read_endpoint(folder)
    assert endpoint
    assert endpoint.pid not in pids


def test_a_platform_that_is_taken_down_is_not_started_again(folder: Path, run: Run) -> None:
    ensure_platform(folder, listen=f"127.0.0.1:{free_port()}")
    with pytest.raises(Unreachable):
        run(
            lambda client: client.apps.list(),
            lambda _: _end(folder, signal.SIGTERM),
            lambda client: client.apps.list(),
        )
    assert read_endpoint(folder) is None
