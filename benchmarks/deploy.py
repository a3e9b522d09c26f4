"""A deploy after a change of one line, as a user has it: the whole command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.measuring import Result, Stopwatch, interleaved, spawn
from ephemera.testing.serving import serving

_BUDGET_MS = 3_000
_APP = """
from flask import Flask

app = Flask(__name__)
SAYS = 0


@app.get("/")
def home() -> str:
    return str(SAYS)
"""


def one_line(folder: Path, rounds: int) -> list[Result]:
    """Deploy a Flask application again and again, each time with another line."""
    project = folder / "shop"
    project.mkdir()
    (project / "requirements.txt").write_text("flask\ngunicorn\n")
    with serving(folder / "home") as server:
        said = 0

        def deploy(watch: Stopwatch) -> None:
            nonlocal said
            (project / "app.py").write_text(_APP.replace("SAYS = 0", f"SAYS = {said}"))
            said += 1
            with watch.running():
                _deploy(project, server.home)

        def start(watch: Stopwatch) -> None:
            with watch.running():
                spawn(sys.executable, "-c", "")

        deploying, starting = interleaved(rounds, deploy, start)
    return [
        Result(
            "deploy after a change of one line, process",
            deploying.median,
            "ms",
            _BUDGET_MS,
            rounds,
            "bare Python start",
            starting.median,
        )
    ]


def _deploy(project: Path, home: Path) -> None:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-m", "ephemera", "deploy"],
        cwd=project,
        env=kept | {"EPHEMERA_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
