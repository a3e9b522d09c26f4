"""`ephemera jobs` and `ephemera supervise`."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.acceptance.command_line import CommandLine
from tests.acceptance.inside import Inside, Said
from tests.acceptance.shop import Shop

ENQUEUE = """
import sys
from ephemera import command
print(command([sys.executable, "-c", {code!r}]).enqueue().id)
"""
WAIT = """
import sys
from ephemera import Job
print(Job.get({id!r}).wait(timeout=40).cause)
"""

Command = Callable[..., Said]


@pytest.fixture
def jobs(own_shop: Shop) -> CommandLine:
    """The command line beside a platform that serves, where jobs wait for `ephemera supervise`."""
    environment = {"EPHEMERA_SUPERVISE": "0", "EPHEMERA_APP": own_shop.app}
    own_shop.ephemera.environment |= environment
    return own_shop.ephemera


@pytest.fixture
def command(jobs: CommandLine, tmp_path: Path) -> Command:
    """Runs `ephemera jobs` there, within this process."""
    return partial(Inside(jobs, tmp_path), "jobs")


def enqueue(jobs: CommandLine, code: str) -> str:
    return jobs.python(ENQUEUE.format(code=code)).strip()


def cause(jobs: CommandLine, job: str) -> str:
    return jobs.python(WAIT.format(id=job)).strip()


def test_a_job_waits_for_a_supervisor_and_is_seen_to_the_end(
    jobs: CommandLine, command: Command
) -> None:
    job = enqueue(jobs, "print('hello')")
    assert "queued" in command("list").stdout
    with jobs.running("supervise") as supervisor:
        assert cause(jobs, job) == "succeeded"
        supervisor.send_signal(signal.SIGINT)
        _, said = supervisor.communicate()
    assert supervisor.returncode == 130
    assert "Started machine: " in said
    assert "Traceback" not in said
    assert f"{job}  ended  succeeded" in command("list").stdout
    assert "]hello" in command("logs", job).stdout
    facts = json.loads(command("show", job, "--json").stdout)
    assert facts["outcome"]["cause"] == "succeeded"
    assert len(facts["attempts"]) == 1


def test_a_job_that_failed_keeps_its_machine_until_it_is_reaped(
    jobs: CommandLine, command: Command, own_shop: Shop
) -> None:
    with jobs.running("supervise", "--keep", "5", "--keep-for", "24h") as supervisor:
        job = enqueue(jobs, "import sys; sys.exit(9)")
        assert cause(jobs, job) == "failed"
        command("retry", job)
        assert cause(jobs, job) == "failed"
        supervisor.terminate()
        assert supervisor.wait() == 0
    shown = command("show", job).stdout
    assert "code 9" in shown
    assert "attempt 2: " in shown
    kept = [machine.state for machine in own_shop.client.machines.list(own_shop.app)]
    assert kept == ["stopped", "stopped"]
    assert "would be destroyed" in command("reap", "--keep", "0", "--dry-run").stdout
    assert len(own_shop.client.machines.list(own_shop.app)) == 2
    assert command("forget", "--older-than", "0s").stdout == "0 jobs forgotten\n"
    assert "2 machines destroyed" in command("reap", "--keep", "0").stdout
    assert own_shop.client.machines.list(own_shop.app) == []
    assert command("forget", "--older-than", "1h").stdout == "0 jobs forgotten\n"
    assert command("forget", "--older-than", "0s").stdout == "1 job forgotten\n"
    assert "there is no job" in command("show", job, code=1).stderr


def test_a_job_is_waited_for_and_its_end_is_the_exit_status(
    jobs: CommandLine, command: Command
) -> None:
    good, bad = enqueue(jobs, "pass"), enqueue(jobs, "import sys; sys.exit(9)")
    waited = command("wait", good, "--timeout", "10ms", code=124)
    assert f"job {good}" in waited.stderr
    with jobs.running("supervise"):
        assert command("wait", good).stdout == "succeeded\n"
        assert "exited with code 9" in command("wait", bad, code=1).stdout


def test_a_queued_job_is_cancelled_at_once_and_can_be_queued_again(
    jobs: CommandLine, command: Command
) -> None:
    job = enqueue(jobs, "pass")
    assert command("cancel", job).stdout == f"job {job} is cancelled\n"
    other = enqueue(jobs, "pass")
    assert command("cancel", job, other).stdout == (
        f"job {job} has ended already\njob {other} is cancelled\n"
    )
    again = command("retry", job)
    assert "queued again" in again.stdout
    assert "ephemera supervise" in again.stderr
    assert json.loads(command("list", "--state", "queued", "--json").stdout)[0]["id"] == job
    assert f"job {job} is queued, and only" in command("retry", job, code=1).stderr


def test_a_running_job_is_cancelled_by_stopping_its_machine(
    jobs: CommandLine, command: Command, own_shop: Shop
) -> None:
    with jobs.running("supervise"):
        job = enqueue(jobs, "import signal; print('up', flush=True); signal.pause()")
        lines = own_shop.client.logs.follow(own_shop.app)
        assert any(line.message == "up" for line in lines)
        assert "is being cancelled" in command("cancel", job).stdout
        assert cause(jobs, job) == "cancelled"


@pytest.mark.parametrize("verb", ["show", "logs", "cancel", "retry"])
def test_an_unknown_job_is_an_error(inside: Inside, verb: str) -> None:
    said = inside("jobs", verb, "nonsense", code=1).stderr
    assert "error: there is no job 'nonsense'" in said
    assert "hint: " in said


@pytest.mark.parametrize(
    "arguments", [("--keep-for", "soon"), ("--keep", "-1"), ("--keep", "many")]
)
def test_a_limit_that_is_none_is_a_wrong_call(inside: Inside, arguments: tuple[str, ...]) -> None:
    inside("jobs", "reap", *arguments, code=2)


def test_jobs_in_an_unknown_state_are_an_error(inside: Inside) -> None:
    assert "queued, running or ended" in inside("jobs", "list", "--state", "odd", code=1).stderr
