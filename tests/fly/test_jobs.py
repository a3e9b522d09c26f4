"""Jobs on Fly.io as far as it is known: the supervisor and what is asked about jobs."""

from __future__ import annotations

import asyncio
import shlex
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from typer.testing import CliRunner

from ephemera import Client, Job, command, task
from ephemera.cli.main import app as command_line
from ephemera.jobs import configure, run_supervisor
from ephemera.jobs.runtime import runtime
from ephemera.testing.serving import Server
from tests.fly import reference
from tests.fly.commands import JOBS, name_of
from tests.fly.standin import Fault, StandIn

APP, IMAGE = "jobs-of-shop", "registry.fly.io/shop:v1"
#: Seconds.
ENDS_WITHIN = 40.0


@task
def greet(name: str) -> str:
    """Only its module has to be found by a machine."""
    return f"hello {name}"


@pytest.fixture(scope="module")
def jobs(fly: StandIn, server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app of the jobs."""
    with Client(server.endpoint.url, server.token) as client:
        client.apps.create(APP)
    store = tmp_path_factory.mktemp("jobs") / "jobs.db"
    runtime.reset()
    configure(app=APP, image=IMAGE, store=f"sqlite:///{store}", supervise=False)
    yield APP
    runtime.reset()


@contextmanager
def supervised() -> Iterator[None]:
    """Have jobs attended to as `ephemera supervise` does it."""
    stop, loop = asyncio.Event(), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_until_complete, args=(run_supervisor(stop),))
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def ended(*words: str) -> Job:
    """Return a job that has ended."""
    job = command(words).enqueue()
    job.wait(ENDS_WITHIN)
    return job


def cause_of(job: Job) -> str:
    return job.outcome.cause if job.outcome else ""


def called(fly: StandIn, line: str) -> set[str]:
    """Return what a command asks Fly.io for."""
    before = len(fly.asked)
    done = CliRunner().invoke(command_line, shlex.split(line))
    assert done.exit_code == 0, f"{done.output}\n{done.exception!r}"
    assert fly.wrong == []
    return set(fly.asked[before:])


def test_a_supervisor_asks_for_what_fly_has(fly: StandIn, jobs: str) -> None:
    before = len(fly.asked)
    with supervised():
        assert cause_of(ended("exit", "0")) == "succeeded"
        assert cause_of(ended("exit", "3")) == "failed"
        assert cause_of(ended("fail-boot", "no")) == "boot_failed"
        # the platform plays no Python: what counts is the machine that is asked for
        told = greet.enqueue("you")
        told.wait(ENDS_WITHIN)
        assert cause_of(told) == "boot_failed"
    assert fly.wrong == []
    asked = set(fly.asked[before:])
    assert asked <= reference.asked("supervise")
    assert "POST /v1/apps/{app_name}/machines" in asked


def test_what_is_asked_about_jobs(fly: StandIn, jobs: str) -> None:
    with supervised():
        job = ended("exit", "3")
    for line in ("list", f"show {job.id}", f"logs {job.id}", f"cancel {job.id}", "reap --keep 0"):
        asked = called(fly, f"jobs {line}")
        assert asked <= reference.asked(name_of(f"jobs {line}")), line
    assert called(fly, f"jobs retry {job.id}") == set()
    with supervised():
        job.wait(ENDS_WITHIN)
    assert {name for name in JOBS if reference.asked(name)} == {
        "supervise",
        "jobs logs",
        "jobs reap",
    }


def test_a_job_whose_machine_is_not_known_everywhere_yet_is_not_lost(
    fly: StandIn, jobs: str
) -> None:
    unknown = Fault("GET /v1/apps/{app_name}/machines/{machine_id}/wait", 404, "machine not found")
    with supervised(), fly.failing(unknown):
        assert cause_of(ended("exit", "0")) == "succeeded"
    assert unknown.left == 0


def test_a_supervisor_goes_on_after_what_passes(fly: StandIn, jobs: str) -> None:
    create, read = (
        "POST /v1/apps/{app_name}/machines",
        "GET /v1/apps/{app_name}/machines/{machine_id}",
    )
    faults = (
        Fault(create, 429, "resource_exhausted: rate limit exceeded"),
        Fault(create, 500, "internal error"),
        Fault(read, 503, "upstream"),
    )
    with supervised(), fly.failing(*faults):
        assert cause_of(ended("exit", "0")) == "succeeded"
    assert [one.left for one in faults] == [0, 0, 0]
