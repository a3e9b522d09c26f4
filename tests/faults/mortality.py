"""Dying at a write, and the small world in which a job goes on all the same."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import Engine

from ephemera.jobs.runtime import runtime
from ephemera.testing.plugin import LEADS_ELSEWHERE
from ephemera.testing.serving import Server, serving

_SERVES_WAIT_S = 30.0
#: Whether time is short, as in CI; `make faults` has a hundred rounds by itself.
FEW_ROUNDS = int(os.environ.get("EPHEMERA_FAULT_ROUNDS", "100")) < 20


def writes_to_die_at(when: str) -> Iterator[int]:
    """Yield the numbers of the writes to die at: all from the first on, without an end.

    Where time is short it is every eighth, and after the commit those between.
    """
    if not FEW_ROUNDS:
        return itertools.count(1)
    return itertools.count(1 if when == "before" else 5, 8)


def die_at_write(engine: Engine, number: int, when: str) -> None:
    """Have this process killed before or after a transaction of the engine is committed."""
    dialect = engine.dialect
    commit, left = dialect.do_commit, number

    def count_and_commit(connection: Any) -> None:
        nonlocal left
        left -= 1
        if left == 0 and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        commit(connection)
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    setattr(dialect, "do_commit", count_and_commit)  # noqa: B010 - an assignment is a type error


@contextmanager
def served(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Serve a platform below `folder` and make it the one that this process's jobs go to."""
    for name in LEADS_ELSEWHERE:
        monkeypatch.delenv(name, raising=False)
    with serving(folder / "home") as server:
        monkeypatch.setenv("EPHEMERA_HOME", str(server.home))
        monkeypatch.setenv("EPHEMERA_URL", server.endpoint.url)
        runtime.reset()
        yield server
        runtime.reset()


@contextmanager
def dying_at(number: int, when: str, server: Server) -> Iterator[subprocess.Popen[bytes]]:
    """Serve the folder in the place of `server`, by a platform that dies at a write.

    It may have died before the block begins, and is dead after it.
    """
    mortal = start_mortal(server, number, when)
    try:
        until_it_serves(server, mortal)
        yield mortal
    finally:
        mortal.kill()
        mortal.wait()


def until_it_serves(server: Server, mortal: subprocess.Popen[bytes]) -> None:
    """Return when the platform in the place of `server` answers, or is dead."""
    deadline = time.monotonic() + _SERVES_WAIT_S
    with httpx2.Client(base_url=server.endpoint.url, verify=False) as http:
        while mortal.poll() is None:
            assert time.monotonic() < deadline, "it neither serves nor dies"
            try:
                http.get("/")
            except httpx2.TransportError:
                time.sleep(0.02)  # nobody tells when a port begins to answer
            else:
                return


def start_mortal(server: Server, number: int, when: str) -> subprocess.Popen[bytes]:
    """Serve the folder in the place of `server`, by a platform that dies at a write."""
    server.kill()
    address = server.endpoint.url.removeprefix("http://")
    program = [sys.executable, "-m", "tests.faults.mortal_platform", str(number), when]
    program += ["--home", str(server.home), "--listen", address, "--driver", server.driver]
    with (server.home / "mortal.log").open("ab") as log:
        return subprocess.Popen(program, stdin=subprocess.DEVNULL, stderr=log)
