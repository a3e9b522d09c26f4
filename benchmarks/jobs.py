"""How fast a job is: a task's result, and the example of the guide."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from benchmarks.measuring import Result, Stopwatch, interleaved, spawn
from ephemera.testing.serving import Server, serving


def task_result(folder: Path, rounds: int) -> list[Result]:
    """Enqueue a task and have its result, each time on a cold machine."""
    with serving(folder) as server:
        _use(server)
        from benchmarks.tasks import double

        def whole(watch: Stopwatch) -> None:
            with watch.running():
                assert double.enqueue(21).result(timeout=60) == 42

        def bare(watch: Stopwatch) -> None:
            with watch.running():
                spawn(sys.executable, "-c", "pass")

        ours, floor = interleaved(rounds, whole, bare)
        _let_go()
    return [
        Result(
            "`@task` enqueue → result, cold machine, process",
            ours.median,
            "ms",
            120,
            rounds,
            "bare Python start",
            floor.median,
        )
    ]


def _use(server: Server) -> None:
    os.environ["EPHEMERA_HOME"] = str(server.home)
    os.environ["EPHEMERA_URL"] = server.endpoint.url


def _let_go() -> None:
    from ephemera.jobs.runtime import runtime

    runtime.close()
