"""How fast a job is: a task's result, and a whole job with all that is cleared away after it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measuring import Result, Stopwatch, interleaved, spawn
from ephemera import Client, command
from ephemera.testing.serving import serving

_ENDS_WITHIN_S = 60
_TRUE = shutil.which("true") or "/bin/true"


def task_result(folder: Path, rounds: int) -> list[Result]:
    """Enqueue a task and have its result, each time on a cold machine."""
    ours, floor = _task(folder, rounds, "process")
    return [_task_result("process", ours, floor)]


def task_result_in_container(folder: Path, rounds: int) -> list[Result]:
    """Do the same where the machine is a container, and say what that adds to Python itself."""
    ours, floor = _task(folder, rounds, "container")
    key = "`@task` enqueue → result, container, beyond a bare Python start"
    beyond = Result(key, ours.median - floor.median, "ms", 50, rounds)
    return [_task_result("container", ours, floor), beyond]


def whole_job_in_container(folder: Path, rounds: int) -> list[Result]:
    """Enqueue a command, and see its machine destroyed."""
    watch = Stopwatch()
    with _platform(folder, "container") as client:
        for _ in range(rounds + 1):
            with watch.running():
                job = command([_TRUE]).enqueue()
                job.result(timeout=_ENDS_WITHIN_S)
                client.machines.wait("jobs", job.machine_id, "destroyed")
    del watch.samples[0]
    key = "the whole job, enqueue → machine destroyed, container"
    return [Result(key, watch.median, "ms", 150, rounds)]


def _task(folder: Path, rounds: int, driver: str) -> list[Stopwatch]:
    """Return how long tasks took, and bare starts of Python in between."""
    with _platform(folder, driver):
        from benchmarks.tasks import double

        def whole(watch: Stopwatch) -> None:
            with watch.running():
                assert double.enqueue(21).result(timeout=_ENDS_WITHIN_S) == 42

        def bare(watch: Stopwatch) -> None:
            with watch.running():
                spawn(sys.executable, "-c", "pass")

        return interleaved(rounds, whole, bare)


def _task_result(driver: str, ours: Stopwatch, floor: Stopwatch) -> Result:
    key = f"`@task` enqueue → result, cold machine, {driver}"
    return Result(key, ours.median, "ms", 120, len(ours.samples), "bare Python start", floor.median)


@contextmanager
def _platform(folder: Path, driver: str) -> Iterator[Client]:
    """Serve a platform that the jobs of this process use."""
    from ephemera.jobs.runtime import runtime

    with serving(folder, driver=driver) as server:
        os.environ["EPHEMERA_HOME"] = str(server.home)
        os.environ["EPHEMERA_URL"] = server.endpoint.url
        try:
            with Client(server.endpoint.url, server.token) as client:
                yield client
        finally:
            runtime.close()
