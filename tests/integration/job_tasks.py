"""Tasks that the integration tests run on real machines."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from ephemera import task


@task
def add(a: int, b: int = 2) -> int:
    """Add two numbers, and say so."""
    print("adding", a, b)
    return a + b


@task
def boom(message: str) -> None:
    """Raise."""
    raise ValueError(message)


@task
def unwritable() -> object:
    """Return what JSON does not have."""
    return {1, 2}


@task
def die() -> None:
    """End without a word to the runner."""
    os._exit(9)


@task
def leave(code: int) -> None:
    """Exit."""
    sys.exit(code)


@task
def where() -> dict[str, str | None]:
    """Tell about the place it runs at."""
    names = ("FLY_MACHINE_ID", "COLOUR")
    return {"folder": str(Path.cwd()), **{name: os.environ.get(name) for name in names}}


@task
def wait_for(go: str, started: str = "", seconds: float = 60.0) -> str:
    """Say that it has started by writing a file, and wait until another one is there."""
    if started:
        with Path(started).open("a") as file:
            file.write("started\n")
    end = time.monotonic() + seconds
    while not Path(go).exists():
        if time.monotonic() > end:
            return "nobody came"
        time.sleep(0.02)
    return "gone"


@task(timeout=0.5)
def hurried() -> None:
    """Take longer than it may."""
    time.sleep(60)
