"""Who has a state folder: one server at a time, and whoever looks into it without one."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ephemera.errors import ConfigError
from ephemera.home import read_endpoint


class FolderInUse(ConfigError):
    """Another server runs on this state folder."""


@contextmanager
def locked(home: Path) -> Iterator[None]:
    """Hold the state folder for as long as the block runs, or until the process dies.

    Raises:
        FolderInUse: another server holds it.
    """
    lock = os.open(home / "platform.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            other = read_endpoint(home)
            where = f" at {other.url} (process {other.pid})" if other else ""
            raise FolderInUse(
                f"a platform already runs on {home}{where}",
                hint="`ephemera down` stops it; EPHEMERA_HOME names another folder",
            ) from None
        yield
    finally:
        os.close(lock)
