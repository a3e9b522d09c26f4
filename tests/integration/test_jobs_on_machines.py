"""The whole way of a job: a real platform, real machines, a real store."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ephemera import Client, Job, command
from ephemera.errors import JobCancelled, JobFailed, JobTimedOut
from ephemera.home import read_endpoint
from ephemera.jobs import Cause, configure, reap
from ephemera.jobs.runtime import runtime
from ephemera.jobs.states import Stage
from ephemera.jobs.tasks import Command
from tests import needs
from tests.integration import job_tasks
from tests.postgresql import running_postgresql

TIMEOUT = 30.0


def eventually(seen: Callable[[], object]) -> None:
    """Look until something is seen; what is looked at cannot be awaited."""
    end = time.monotonic() + TIMEOUT
    while not seen():
        assert time.monotonic() < end, "it was never seen"
        time.sleep(0.02)


@contextmanager
def state_folder(folder: Path) -> Iterator[Path]:
    """Have this process use a state folder, with the platform that is started there on demand."""
    with pytest.MonkeyPatch.context() as environment:
        for name in [name for name in os.environ if name.startswith(("FLY_", "EPHEMERA_"))]:
            environment.delenv(name)
        environment.setenv("EPHEMERA_HOME", str(folder))
        runtime.reset()
        yield folder
        runtime.reset()
        end_platform(folder)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A state folder of its own."""
    with state_folder(tmp_path / "home") as folder:
        yield folder


@pytest.fixture(scope="class")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One for tests that look at nothing but their own jobs."""
    with state_folder(tmp_path_factory.mktemp("shared") / "home") as folder:
        yield folder


def end_platform(folder: Path) -> None:
    endpoint = read_endpoint(folder)
    if endpoint is None:
        return
    with Client() as client:
        for app in client.apps.list().apps:
            for machine in client.machines.list(app.name):
                client.machines.destroy(app.name, machine.id, force=True)
    os.kill(endpoint.pid, signal.SIGTERM)
    eventually(lambda: read_endpoint(folder) is None)


def _at(volume: str, script: str) -> Command:
    return command(["sh", "-c", script, "/data"], volume=f"{volume}:/data")


def machine_states() -> dict[str, str]:
    with Client() as client:
        listed = client.machines.list("jobs", include_deleted=True)
        return {machine.id: machine.state for machine in listed}


@pytest.mark.usefixtures("shared_home")
class TestOneProcess:
    def test_jobs_that_share_a_volume_run_one_after_the_other(self) -> None:
        job_tasks.add.enqueue(1).result(TIMEOUT)  # so that there is the app
        with Client() as client:
            volume = client.volumes.create("jobs", name="data", size_gb=1).id
        alone = 'mkdir "$0/alone" && echo x >> "$0/lines" && rmdir "$0/alone"'
        both = [_at(volume, alone).enqueue() for _ in range(2)]
        for job in both:
            job.result(4 * TIMEOUT)  # who finds it taken asks again, later and later
        _at(volume, 'test "$(grep -c x "$0/lines")" = 2').enqueue().result(4 * TIMEOUT)

    def test_a_task_returns_its_result_and_leaves_no_machine(self) -> None:
        job = job_tasks.add.enqueue(1, b=5)
        assert job.result(TIMEOUT) == 6
        assert "adding 1 5" in [line.message for line in job.logs()]
        eventually(lambda: machine_states()[job.machine_id] == "destroyed")

    def test_a_task_runs_where_it_was_enqueued(self) -> None:
        place = job_tasks.where.enqueue().result(TIMEOUT)
        assert place["folder"] == str(Path.cwd())
        assert place["FLY_MACHINE_ID"]

    def test_an_exception_comes_back_with_its_traceback_and_the_machine_is_kept(self) -> None:
        job = job_tasks.boom.enqueue("no way")
        with pytest.raises(JobFailed) as caught:
            job.result(TIMEOUT)
        assert caught.value.cause is Cause.RAISED
        assert "raise ValueError(message)" in caught.value.remote_traceback
        assert caught.value.remote_traceback.splitlines()[1].endswith("in boom")
        assert machine_states()[caught.value.machine_id] == "stopped"

    @pytest.mark.parametrize(
        ("enqueue", "cause"),
        [
            (lambda: job_tasks.unwritable.enqueue(), Cause.RAISED),
            (lambda: job_tasks.leave.enqueue(4), Cause.FAILED),
            (lambda: command(["sh", "-c", "exit 3"]).enqueue(), Cause.FAILED),
            (lambda: command(["sh", "-c", "kill -9 $$"]).enqueue(), Cause.SIGNALLED),
        ],
    )
    def test_every_failure_has_its_cause(self, enqueue: Callable[[], Job], cause: Cause) -> None:
        assert enqueue().wait(TIMEOUT).cause is cause

    def test_a_program_that_dies_before_it_reports_is_not_taken_for_a_success(self) -> None:
        outcome = job_tasks.die.enqueue().wait(TIMEOUT)
        assert (outcome.cause, outcome.exit_code) == (Cause.NO_REPORT, 9)

    def test_a_command_that_does_not_exist_ends_with_the_platforms_words(self) -> None:
        job = command(["no-such-program"]).enqueue()
        with pytest.raises(JobFailed, match="no-such-program") as caught:
            job.result(TIMEOUT)
        assert caught.value.cause is Cause.BOOT_FAILED

    def test_an_image_that_cannot_be_had_ends_the_job(self) -> None:
        outcome = command(["true"], image="registry.invalid/nothing").enqueue().wait(TIMEOUT)
        assert outcome.cause in (Cause.IMAGE_UNAVAILABLE, Cause.BOOT_FAILED)

    def test_a_task_that_takes_too_long_times_out(self) -> None:
        with pytest.raises(JobTimedOut):
            job_tasks.hurried.enqueue().result(TIMEOUT)

    def test_a_running_job_is_cancelled(self, tmp_path: Path) -> None:
        started = tmp_path / "started"
        job = job_tasks.wait_for.enqueue(str(tmp_path / "go"), str(started))
        eventually(started.exists)
        assert job.cancel()
        with pytest.raises(JobCancelled):
            job.result(TIMEOUT)
        assert not job.cancel()

    def test_a_cancelled_program_gets_one_signal_and_time_to_end(self) -> None:
        script = """
            trap 'echo told; told=1' TERM; echo up; until [ $told ]; do sleep 0.05; done
            for i in $(seq 50); do sleep 0.05; done; exit 5
        """
        job = command(["sh", "-c", script]).enqueue()
        eventually(lambda: "up" in [line.message for line in job.logs()])
        assert job.cancel()
        assert job.wait(TIMEOUT).cause is Cause.CANCELLED
        assert [line.message for line in job.logs()].count("told") == 1
        eventually(lambda: job.attempts()[-1].stage is Stage.KEPT)

    def test_a_failed_job_is_retried_on_another_machine(self) -> None:
        job = job_tasks.boom.enqueue("no")
        first = job.wait(TIMEOUT) and job.machine_id
        job.retry().wait(TIMEOUT)
        assert [attempt.number for attempt in job.attempts()] == [1, 2]
        assert job.machine_id != first

    def test_waiting_for_too_short_a_time_leaves_the_job_alone(self, tmp_path: Path) -> None:
        go = tmp_path / "go"
        job = job_tasks.wait_for.enqueue(str(go))
        with pytest.raises(TimeoutError):
            job.wait(0.05)
        go.touch()
        assert job.result(TIMEOUT) == "gone"

    def test_a_job_can_be_awaited(self) -> None:
        async def main() -> object:
            return await job_tasks.add.enqueue(2).async_result(TIMEOUT)

        assert asyncio.run(main()) == 4

    def test_twenty_jobs_at_once_all_come_back(self) -> None:
        jobs = [command(["sh", "-c", f"exit {n}"]).enqueue() for n in range(20)]
        assert [job.wait(TIMEOUT).exit_code for job in jobs] == list(range(20))

    def test_the_guides_lines_are_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO, "ephemera.jobs")
        job = job_tasks.add.enqueue(1)
        job.wait(TIMEOUT)
        eventually(lambda: f"Deleted machine: {job.machine_id}" in caplog.text)
        assert f"Started machine: {job.machine_id}" in caplog.text


@pytest.mark.usefixtures("home")
class TestOneProcessOfItsOwn:
    def test_reaping_takes_what_was_kept(self) -> None:
        job = job_tasks.boom.enqueue("no")
        job.wait(TIMEOUT)
        eventually(lambda: job.attempts()[-1].stage == "kept")
        assert [one.machine_id for one in reap(dry_run=True, keep=0)] == [job.machine_id]
        assert [one.why for one in reap(keep=0)] == ["too_many"]
        eventually(lambda: machine_states()[job.machine_id] == "destroyed")

    def test_reports_can_be_fetched_instead_of_sent(self) -> None:
        configure(report="pull")
        assert job_tasks.add.enqueue(3).result(TIMEOUT) == 5


def has_reached(job: Job, stage: Stage) -> bool:
    """Return whether a job's attempt is at a stage, or was."""
    order = list(Stage)
    return any(order.index(one.stage) >= order.index(stage) for one in job.attempts())


SUPERVISE = """
import asyncio, signal
from ephemera.jobs import run_supervisor
from ephemera.jobs.runtime import runtime

async def main():
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    runtime.store()  # one that begins where its database is away just then ends with an error
    print("up", flush=True)
    await run_supervisor(stop)

asyncio.run(main())
"""


def start_supervisor() -> subprocess.Popen[bytes]:
    """Return a process that supervises, once it has its store and ends when it is told to."""
    process = subprocess.Popen([sys.executable, "-c", SUPERVISE], stdout=subprocess.PIPE)
    assert process.stdout
    with process.stdout as said:
        assert said.readline() == b"up\n"
    return process


def end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    assert process.wait(TIMEOUT) == 0


@pytest.mark.usefixtures("home")
class TestSeveralProcesses:
    def test_a_job_is_supervised_by_another_process(self) -> None:
        configure(supervise=False)
        supervisor = start_supervisor()
        try:
            assert job_tasks.add.enqueue(1).result(TIMEOUT) == 3
        finally:
            end(supervisor)

    def test_a_job_survives_the_program_that_enqueued_it(self, tmp_path: Path) -> None:
        go, started = tmp_path / "go", tmp_path / "started"
        program = (
            "from tests.integration.job_tasks import wait_for\n"
            f"print(wait_for.enqueue({str(go)!r}, {str(started)!r}).id)\n"
            "from pathlib import Path; import time\n"
            f"while not Path({str(started)!r}).exists(): time.sleep(0.02)\n"
        )
        ran = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, timeout=TIMEOUT
        )
        assert ran.returncode == 0, ran.stderr
        job = Job.get(ran.stdout.strip())
        assert job.outcome is None
        go.touch()
        assert job.result(TIMEOUT) == "gone"
        assert started.read_text() == "started\n"

    def test_a_job_survives_a_killed_supervisor(self, tmp_path: Path) -> None:
        configure(supervise=False)
        go, started = tmp_path / "go", tmp_path / "started"
        first = start_supervisor()
        job = job_tasks.wait_for.enqueue(str(go), str(started))
        eventually(started.exists)
        first.kill()
        first.wait()
        go.touch()
        second = start_supervisor()
        try:
            assert job.result(TIMEOUT) == "gone"
        finally:
            end(second)
        assert started.read_text() == "started\n", "it ran once"

    @pytest.mark.faults
    @pytest.mark.parametrize("stage", list(Stage))
    def test_a_supervisor_killed_at_any_stage_loses_and_doubles_nothing(
        self, stage: Stage, tmp_path: Path
    ) -> None:
        configure(supervise=False)
        ran = tmp_path / "ran"
        script = f"echo $0 >> {ran}; sleep 0.$0"
        jobs = [command(["sh", "-c", script, str(number)]).enqueue() for number in range(5)]
        first = start_supervisor()
        eventually(lambda: any(has_reached(job, stage) for job in jobs))
        first.kill()
        first.wait()
        second = start_supervisor()
        try:
            assert [job.wait(TIMEOUT).cause for job in jobs] == [Cause.SUCCEEDED] * 5
            eventually(lambda: all(has_reached(job, Stage.GONE) for job in jobs))
        finally:
            end(second)
        assert sorted(ran.read_text().split()) == ["0", "1", "2", "3", "4"]
        assert set(machine_states().values()) <= {"destroying", "destroyed"}

    def test_a_standby_takes_over(self, tmp_path: Path) -> None:
        configure(supervise=False)
        go, started = tmp_path / "go", tmp_path / "started"
        supervisors = [start_supervisor(), start_supervisor()]
        job = job_tasks.wait_for.enqueue(str(go), str(started))
        eventually(started.exists)
        lease = runtime.store().lease()
        assert lease is not None
        active = next(one for one in supervisors if f":{one.pid}:" in lease.holder)
        active.kill()
        active.wait()
        go.touch()
        try:
            assert job.result(TIMEOUT) == "gone"
        finally:
            supervisors.remove(active)
            end(supervisors[0])

    def test_a_job_survives_a_killed_platform(self, home: Path, tmp_path: Path) -> None:
        go, started = tmp_path / "go", tmp_path / "started"
        job = job_tasks.wait_for.enqueue(str(go), str(started))
        eventually(started.exists)
        endpoint = read_endpoint(home)
        assert endpoint is not None
        os.kill(endpoint.pid, signal.SIGKILL)
        go.touch()
        assert job.result(TIMEOUT) == "gone"
        assert started.read_text() == "started\n", "it ran once"

    def test_a_forked_child_starts_afresh(self) -> None:
        job = job_tasks.add.enqueue(1)
        assert job.result(TIMEOUT) == 3
        # a fork in the midst of what another thread does would give the child half of that
        eventually(lambda: has_reached(job, Stage.GONE))
        child = os.fork()
        if child == 0:
            sound = False
            try:
                sound = job_tasks.add.enqueue(4).result(TIMEOUT) == 6
            except Exception:  # noqa: BLE001 - the child has nobody else to tell
                traceback.print_exc()
            finally:
                os._exit(0 if sound else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert job_tasks.add.enqueue(2).result(TIMEOUT) == 4

    def test_a_task_of_a_script_runs_without_the_scripts_main_part(self, tmp_path: Path) -> None:
        script = tmp_path / "script.py"
        script.write_text(
            "from ephemera import task\n"
            "@task\ndef double(n): return 2 * n\n"
            "if __name__ == '__main__': print(double.enqueue(21).result(30))\n"
        )
        ran = subprocess.run(
            [sys.executable, str(script)], capture_output=True, text=True, timeout=TIMEOUT
        )
        assert ran.stdout == "42\n", ran.stderr

    @pytest.mark.postgresql
    @needs.postgresql
    def test_they_may_share_a_database_that_is_started_again(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with running_postgresql() as server:
            monkeypatch.setenv("EPHEMERA_STORE", server.new_database())
            configure(supervise=False)
            supervisors = [start_supervisor(), start_supervisor()]
            try:
                jobs = [job_tasks.add.enqueue(number) for number in range(4)]
                assert [job.result(TIMEOUT) for job in jobs] == [2, 3, 4, 5]
                server.restart()
                assert job_tasks.add.enqueue(4).result(TIMEOUT) == 6
            finally:
                for supervisor in supervisors:
                    end(supervisor)
            runtime.reset()  # while there is somebody to say goodbye to
