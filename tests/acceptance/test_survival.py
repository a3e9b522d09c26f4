"""A job survives `kill -9` of the web application, of the supervisor, and of the platform.

The job's program says that it has begun, then blocks until the test opens a gate (two FIFOs, so
nobody sleeps and nobody polls), so each kill happens while it is under way.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL

import pytest

from ephemera.home import read_endpoint
from ephemera.jobs.stores.sql import SqlStore
from tests.acceptance.shop import Shop

#: A standby takes over when a lease is over, which is after 5 s, and looks every second.
_TAKEN_OVER_WITHIN_S = 30

#: What a web application does as far as jobs go: it enqueues, which makes it the supervisor.
WEB = """
import os, signal, sys
from ephemera import command
job = command([sys.executable, "-c", *sys.argv[1:]]).enqueue()
print(job.id, os.getpid(), flush=True)
signal.pause()
"""
#: Each time it runs it leaves a line; then it waits for the gate.
GATED = """
import sys
begun, gate, ran = sys.argv[1:]
with open(ran, "a") as file:
    print("ran", file=file)
open(begun, "w").close()
open(gate).close()
"""
WAIT = "from ephemera import Job; print(Job.get({!r}).wait(timeout=40).cause)"


@dataclass
class JobUnderWay:
    """A job whose program has begun and blocks, and the web application that enqueued it."""

    shop: Shop
    folder: Path
    id: str
    web_pid: int
    web_machine: str

    def kill_web_application(self) -> None:
        os.kill(self.web_pid, SIGKILL)
        self.shop.client.machines.wait(self.shop.app, self.web_machine, "stopped")

    def kill_platform(self) -> None:
        endpoint = read_endpoint(self.shop.ephemera.home)
        assert endpoint
        os.kill(endpoint.pid, SIGKILL)

    def until_supervised_by(self, pid: int) -> None:
        """Return once a process is the active supervisor; only the store can tell."""
        deadline = time.monotonic() + _TAKEN_OVER_WITHIN_S
        with closing(self._store()) as store:
            while True:
                lease = store.lease()
                if lease and f":{pid}:" in lease.holder:
                    return
                assert time.monotonic() < deadline, lease
                time.sleep(0.05)

    def must_end_well(self) -> None:
        """Let the program end, and see that the job succeeds, having run exactly once."""
        with (self.folder / "gate").open("w"):
            pass
        assert self.shop.ephemera.python(WAIT.format(self.id)).strip() == "succeeded"
        assert (self.folder / "ran").read_text() == "ran\n"
        with closing(self._store()) as store:
            (attempt,) = store.attempts(self.id)
        self.shop.client.machines.wait(self.shop.app, attempt.machine_id, "destroyed")
        machines = self.shop.client.machines.list(self.shop.app, include_deleted=True)
        assert {one.id for one in machines} == {self.web_machine, attempt.machine_id}

    def _store(self) -> SqlStore:
        return SqlStore(f"sqlite:///{self.shop.ephemera.home / 'jobs.db'}")


@pytest.fixture
def job(own_shop: Shop, tmp_path: Path) -> JobUnderWay:
    """A job that is under way, supervised by the web application that enqueued it."""
    own_shop.ephemera.environment["EPHEMERA_SUPERVISE"] = "0"  # of commands; not of machines
    for name in ("begun", "gate"):
        os.mkfifo(tmp_path / name)
    files = [str(tmp_path / name) for name in ("begun", "gate", "ran")]
    web = own_shop.run([sys.executable, "-c", WEB, GATED, *files])
    with (tmp_path / "begun").open():
        pass
    lines = own_shop.client.logs.follow(own_shop.app, machine=web.id)
    said = (line.message.split() for line in lines if line.provider == "app")
    job_id, pid = next(words for words in said if len(words) == 2)
    return JobUnderWay(own_shop, tmp_path, job_id, int(pid), web.id)


def test_a_job_survives_its_web_application(job: JobUnderWay) -> None:
    job.kill_web_application()
    with job.shop.ephemera.running("supervise"):
        job.must_end_well()


def test_a_job_survives_the_platform(job: JobUnderWay) -> None:
    job.kill_platform()
    job.shop.ephemera("apps", "list")  # any use of the platform brings it back
    job.must_end_well()


def test_a_job_survives_them_all_in_turn(job: JobUnderWay) -> None:
    job.kill_web_application()
    with job.shop.ephemera.running("supervise") as first:
        job.until_supervised_by(first.pid)
        first.kill()
    with job.shop.ephemera.running("supervise") as second:
        job.until_supervised_by(second.pid)
        job.kill_platform()
        job.shop.ephemera("apps", "list")
        job.must_end_well()
