"""The supervisor is killed with SIGKILL before and after each of its writes, one at a time.

What must hold each time, once another supervisor has come: the job ran once, it succeeded, and
nothing of its machine is left.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ephemera import Client, Job, command
from ephemera.jobs import Cause, configure, supervise
from ephemera.testing.serving import Server
from tests.faults.mortal_supervisor import is_settled
from tests.faults.mortality import served, writes_to_die_at

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

_TIMEOUT_S = 60.0
#: A job takes about ten, and one more for each renewal of the lease.
_WRITES_MIN = 8


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with served(tmp_path, monkeypatch) as server:
        yield server


def die_at_write(job: Job, number: int, when: str) -> bool:
    """Supervise in another process that dies at a write; False where it wrote less often."""
    program = [sys.executable, "-m", "tests.faults.mortal_supervisor", job.id, str(number), when]
    ended = subprocess.run(program, timeout=_TIMEOUT_S).returncode
    assert ended in (0, -signal.SIGKILL)
    return ended != 0


def finish(job: Job) -> None:
    """Supervise in this process until nothing is left to do for the job."""
    configure(supervise=True)
    supervise()
    assert eventually(lambda: is_settled(job.id)), f"{job.refresh()}: {job.attempts()}"
    configure(supervise=False)


def eventually(seen: Callable[[], bool]) -> bool:
    """Return whether it is seen before long; what is in the store cannot be awaited."""
    deadline = time.monotonic() + _TIMEOUT_S
    while not seen():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def check(job: Job, ran: Path, server: Server) -> None:
    outcome = job.refresh().outcome
    assert outcome is not None
    assert outcome.cause is Cause.SUCCEEDED
    assert ran.read_text() == "ran\n"
    assert len(job.attempts()) == 1
    with Client() as client:
        client.machines.wait("jobs", job.machine_id, "destroyed", timeout=_TIMEOUT_S)
        assert client.machines.list("jobs") == []
    assert list((server.home / "machines").glob("*/*")) == []


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_supervisor_killed_at_any_write_is_followed_by_one_that_finishes(
    server: Server, tmp_path: Path, when: str
) -> None:
    configure(supervise=False)
    for writes in writes_to_die_at(when):
        ran = tmp_path / f"ran-{writes}"
        job = command(["sh", "-c", f"echo ran >> {ran}"]).enqueue()
        died = die_at_write(job, writes, when)
        finish(job)
        check(job, ran, server)
        if not died:
            break
    assert writes > _WRITES_MIN
