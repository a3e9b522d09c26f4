"""The platform is killed with SIGKILL before and after each of its writes, one at a time.

What must hold each time, once the platform serves again: the job ran once, it succeeded, and
nothing of its machine is left. The supervisor lives all the while.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ephemera import Client, Job, command
from ephemera.jobs import Cause, configure, supervise
from ephemera.testing.serving import Server
from tests.faults.mortal_supervisor import is_settled
from tests.faults.mortality import served, start_mortal, writes_to_die_at

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

_TIMEOUT_S = 60.0
#: A machine takes six from its creation to its end.
_WRITES_MIN = 6


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with served(tmp_path, monkeypatch) as server:
        configure(supervise=True)
        supervise()
        with Client() as client:
            client.apps.create("jobs")
        yield server


def died_before_the_end(mortal: subprocess.Popen[bytes], job: Job) -> bool:
    """Return whether the platform died, as soon as it did or the job needs it no more."""
    deadline = time.monotonic() + _TIMEOUT_S
    while mortal.poll() is None and not is_settled(job.id):
        assert time.monotonic() < deadline, f"{job.refresh()}: {job.attempts()}"
        time.sleep(0.01)  # neither a process nor a row can be awaited together
    died = mortal.poll() is not None
    mortal.kill()
    mortal.wait()
    return died


def check(job: Job, ran: Path, server: Server) -> None:
    outcome = job.wait(_TIMEOUT_S)
    assert outcome.cause is Cause.SUCCEEDED, outcome
    assert ran.read_text() == "ran\n"
    assert len(job.attempts()) == 1
    with Client() as client:
        client.machines.wait("jobs", job.machine_id, "destroyed", timeout=_TIMEOUT_S)
        assert client.machines.list("jobs") == []
        exits = [
            event
            for event in client.machines.events("jobs", job.machine_id)
            if event.type == "exit"
        ]
    assert len(exits) == 1
    assert list((server.home / "machines").glob("*/*")) == []


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_platform_killed_at_any_write_goes_on_with_it(
    server: Server, tmp_path: Path, when: str
) -> None:
    for writes in writes_to_die_at(when):
        mortal = start_mortal(server, writes, when)
        ran = tmp_path / f"ran-{writes}"
        job = command(["sh", "-c", f"echo ran >> {ran}"]).enqueue()
        died = died_before_the_end(mortal, job)
        server.restart()
        check(job, ran, server)
        if not died:
            break
    assert writes > _WRITES_MIN
