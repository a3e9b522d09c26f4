"""Dying at a write, and the small world in which a job goes on all the same."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from ephemera.jobs.runtime import runtime
from ephemera.testing.plugin import LEADS_ELSEWHERE
from ephemera.testing.serving import Server, serving


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
