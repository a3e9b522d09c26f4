from __future__ import annotations

import asyncio
import base64
import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from ephemera.errors import (
    EphemeraError,
    Invalid,
    NoAnswer,
    NoCapacity,
    NotFound,
    RateLimited,
    ServerFault,
    Unauthorized,
    Unreachable,
    WrongState,
)
from ephemera.jobs.attempts import attend, attend_claimed
from ephemera.jobs.context import Context
from ephemera.jobs.machine import config_of
from ephemera.jobs.outcome import Cause, Outcome, Report
from ephemera.jobs.records import AttemptRecord, JobRecord, TaskRef, Work
from ephemera.jobs.retention import Reaped, destroy_orphans, trim
from ephemera.jobs.settings import Settings
from ephemera.jobs.states import JobState, Stage, StageEvent
from ephemera.jobs.stores.memory import MemoryStore
from ephemera.jobs.tokens import attempt_token
from ephemera.wire.ids import new_ulid
from ephemera.wire.models import File, LogEntry, Machine, MachineEvent
from tests.unit.jobs.fake_api import FakeApi

LISTENER = "http://127.0.0.1:9"
COMMAND = Work(app="jobs", image="host", command=("true",), timeout_s=100, start_timeout_s=30)
TASK = replace(COMMAND, command=(), task=TaskRef("shop", "bill"), args=(1,))


class World:
    """A store, an API, and one claimed job."""

    def __init__(self, work: Work = COMMAND, **settings: Any) -> None:
        self.api = FakeApi()
        self.store = MemoryStore()
        self.told: list[str] = []
        self.context = Context(
            store=self.store,
            client=self.api.client,
            clock=self.api.clock,
            settings=Settings(store="", **settings),
            listener_url=LISTENER,
            pushes=True,
            makes_apps=True,
            ended=self.told.append,
            making=asyncio.Semaphore(),
        )
        self.attempt_id = self.claim(work)

    def claim(self, work: Work = COMMAND) -> str:
        now = self.api.clock.now()
        job = JobRecord(new_ulid(), work, now)
        id_ = new_ulid()
        url = f"{LISTENER}/reports/s/{id_}"
        attempt = AttemptRecord(id_, job.id, 1, "jobs", f"job-{id_.lower()}", url, now)
        self.store.add_job(job)
        self.store.claim(job, attempt)
        return id_

    def attend(self, *, fresh: bool = True) -> JobRecord:
        """Bring the job to its end and return it."""
        nudged = asyncio.Event()
        if fresh:
            attending = attend_claimed(self.context, self.attempt, self.job, nudged=nudged)
        else:
            attending = attend(self.context, self.attempt_id, nudged=nudged)
        asyncio.run(attending)
        return self.job

    @property
    def attempt(self) -> AttemptRecord:
        found = self.store.attempt(self.attempt_id)
        assert found is not None
        return found

    @property
    def job(self) -> JobRecord:
        found = self.store.job(self.attempt.job_id)
        assert found is not None
        return found

    def machine(self) -> Machine:
        """Make the attempt's machine as an earlier supervisor did."""
        config = config_of(self.job.work, self.attempt, self.store.identity(), patience_s=1)
        return self.api.add(self.attempt.machine_name, config)


def cause(job: JobRecord) -> Cause:
    assert job.state is JobState.ENDED
    assert job.outcome is not None
    return job.outcome.cause


def test_a_job_that_succeeds_leaves_no_machine() -> None:
    world = World()
    assert cause(world.attend()) is Cause.SUCCEEDED
    assert world.attempt.stage is Stage.GONE
    assert [one.state for one in world.api.machines.values()] == ["destroyed"]
    assert world.told == [world.job.id]


def test_a_job_that_fails_leaves_its_machine_stopped() -> None:
    world = World()
    world.api.exit = {"exit_code": 3}
    assert cause(world.attend()) is Cause.FAILED
    assert world.attempt.stage is Stage.KEPT
    assert [one.state for one in world.api.machines.values()] == ["stopped"]


def test_nothing_is_kept_where_the_settings_say_so() -> None:
    world = World(keep=0)
    world.api.exit = {"exit_code": 3}
    world.attend()
    assert world.attempt.stage is Stage.GONE


def test_the_machine_never_restarts_and_is_marked() -> None:
    world = World()
    config = world.machine().config
    assert config is not None
    assert config.restart is not None
    assert (config.restart.policy, config.auto_destroy) == ("no", False)
    assert config.metadata == {
        "ephemera_store": world.store.identity().id,
        "ephemera_job": world.job.id,
        "ephemera_attempt": world.attempt.id,
    }


def payload_of(files: list[File] | None) -> dict[str, Any]:
    assert files is not None
    payload = next(one for one in files if one.guest_path.endswith("payload.json"))
    assert payload.mode == 0o600
    loaded: dict[str, Any] = json.loads(base64.b64decode(payload.raw_value or ""))
    return loaded


def test_a_task_travels_with_its_runner_and_its_token() -> None:
    world = World(TASK)
    config = world.machine().config
    assert config is not None
    assert config.init is not None
    payload = payload_of(config.files)
    assert config.init.exec == ["python3", "/.ephemera/runner.py", "/.ephemera/payload.json"]
    assert payload["args"] == [1]
    token = attempt_token(world.store.identity().secret, world.attempt.id)
    assert payload["listener"]["token"] == token


def test_an_outcome_that_another_supervisor_has_written_is_no_trouble(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    world = World()
    world.api.exit = {"exit_code": 3}

    def decided_by_another(_: str, _lines: Sequence[LogEntry]) -> None:
        world.store.finish(world.attempt, Outcome(Cause.FAILED, "seen by another"), at=1.0)

    monkeypatch.setattr(world.store, "save_logs", decided_by_another)
    job = world.attend()
    assert job.outcome is not None
    assert job.outcome.message == "seen by another"
    assert "trying again" not in caplog.text


@pytest.mark.parametrize(("embedded", "hours"), [(True, 24), (False, 1 / 6)])
def test_a_report_is_offered_for_a_day_where_machines_cost_nothing(
    embedded: bool, hours: float
) -> None:
    world = World(TASK)
    world.context = replace(world.context, makes_apps=embedded)
    world.attend()
    (machine,) = world.api.machines.values()
    assert machine.config is not None
    assert payload_of(machine.config.files)["patience_s"] == hours * 3600


def test_a_command_travels_alone() -> None:
    config = World().machine().config
    assert config is not None
    assert config.init is not None
    assert (config.init.exec, config.files) == (["true"], None)


@pytest.mark.parametrize(
    "error",
    [
        RateLimited("slow down"),
        ServerFault("oops", status=500),
        NoAnswer("lost"),
        Unreachable("nobody listens"),
    ],
)
def test_a_passing_trouble_is_waited_out(error: EphemeraError) -> None:
    world = World()
    world.api.create_errors = [error, error, error]
    assert cause(world.attend()) is Cause.SUCCEEDED
    assert world.api.clock.slept == [0.5, 1.0, 2.0]


def test_a_trouble_that_does_not_pass_ends_the_job_at_its_start_timeout() -> None:
    world = World()
    world.api.create_errors = [Unreachable("nobody listens")] * 100
    begin = world.api.clock.now()
    assert cause(world.attend()) is Cause.BOOT_FAILED
    assert world.api.clock.now() - begin <= 30
    assert world.attempt.stage is Stage.GONE


def test_a_job_waits_for_its_volume() -> None:
    world = World(replace(COMMAND, volume="vol_1:/data"))
    taken = "failed_precondition: volume is currently bound to machine: m7"
    world.api.create_errors = [WrongState(taken, status=412)] * 3
    assert cause(world.attend()) is Cause.SUCCEEDED
    assert world.api.clock.slept == [0.5, 1.0, 2.0]


def test_a_machine_with_a_volume_is_not_kept() -> None:
    world = World(replace(COMMAND, volume="vol_1:/data"))
    world.api.exit = {"exit_code": 3}
    assert cause(world.attend()) is Cause.FAILED
    assert world.attempt.stage is Stage.GONE
    assert [one.state for one in world.api.machines.values()] == ["destroyed"]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (WrongState("the app is going away", status=412), Cause.BOOT_FAILED),
        (NoCapacity("no room in ams", status=422), Cause.NO_CAPACITY),
        (Invalid("image 'x' does not exist", status=400), Cause.IMAGE_UNAVAILABLE),
        (Invalid("guest is too small", status=400), Cause.BOOT_FAILED),
        (Unauthorized("who are you", status=401), Cause.BOOT_FAILED),
    ],
)
def test_a_refusal_ends_the_job_at_once(
    error: EphemeraError, expected: Cause, caplog: pytest.LogCaptureFixture
) -> None:
    world = World()
    world.api.create_errors = [error]
    assert cause(world.attend()) is expected
    assert world.api.clock.slept == []
    assert "Error starting job machine" in caplog.text
    assert error.message in caplog.text


def test_a_lost_answer_makes_no_second_machine() -> None:
    world = World()
    world.api.create_errors, world.api.applied = [NoAnswer("lost")], True
    assert cause(world.attend()) is Cause.SUCCEEDED
    assert len(world.api.machines) == 1
    assert world.api.calls.count("create") == 1


def test_a_resumed_attempt_adopts_its_machine() -> None:
    world = World()
    machine = world.machine()
    assert cause(world.attend(fresh=False)) is Cause.SUCCEEDED
    assert world.attempt.machine_id == machine.id
    assert "create" not in world.api.calls


def test_a_resumed_attempt_never_runs_twice_even_where_its_machine_was_destroyed() -> None:
    world = World()
    world.machine().state = "destroyed"
    assert cause(world.attend(fresh=False)) is Cause.LOST
    assert "create" not in world.api.calls


def test_a_taken_name_is_the_machine_of_an_earlier_try() -> None:
    world = World()
    machine = world.machine()
    assert cause(world.attend(fresh=True)) is Cause.SUCCEEDED
    assert world.attempt.machine_id == machine.id


@pytest.mark.parametrize("error", [ServerFault("oops", status=500), NoAnswer("lost")])
def test_a_machine_that_may_live_is_looked_for_however_long_that_takes(
    error: EphemeraError,
) -> None:
    world = World(replace(COMMAND, timeout_s=10_000))
    world.machine()
    world.api.clock.advance(1000)
    world.api.list_errors = [error, error]
    assert cause(world.attend(fresh=False)) is Cause.SUCCEEDED
    assert "create" not in world.api.calls


@pytest.mark.parametrize("unheard", [Unreachable("nobody listens"), RateLimited("slow down")])
def test_a_machine_whose_answer_was_lost_is_not_given_up_while_nobody_can_look(
    unheard: EphemeraError,
) -> None:
    world = World(replace(COMMAND, timeout_s=10_000))
    world.api.create_errors, world.api.applied = [NoAnswer("lost")], True
    world.api.list_errors = [unheard] * 20
    assert cause(world.attend()) is Cause.SUCCEEDED
    assert world.api.calls.count("create") == 1


def test_a_fault_that_does_not_pass_ends_the_job_once_no_machine_was_found() -> None:
    world = World()
    world.api.create_errors = [ServerFault("oops", status=500)] * 100
    assert cause(world.attend()) is Cause.BOOT_FAILED
    assert world.api.calls[-1] == "list"
    assert world.job.outcome is not None
    assert "oops" in world.job.outcome.message


def test_a_missing_app_is_made_on_an_embedded_platform() -> None:
    world = World()
    world.api.apps = set()
    assert cause(world.attend()) is Cause.SUCCEEDED
    assert world.api.calls[:3] == ["create", "create app", "create"]


def test_an_app_that_cannot_be_made_ends_the_job_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def create(_: str) -> None:
        raise Invalid("name: lowercase letters and dashes only", status=422)

    async def get(_: str) -> None:
        raise NotFound("app not found", status=404)

    world = World()
    world.api.apps = set()
    monkeypatch.setattr(world.context.client, "apps", SimpleNamespace(create=create, get=get))
    job = world.attend()
    assert job.outcome is not None
    assert "lowercase letters and dashes only" in job.outcome.message


def test_a_missing_app_elsewhere_ends_the_job() -> None:
    world = World()
    world.api.apps = set()
    world.context = replace(world.context, makes_apps=False)
    assert cause(world.attend()) is Cause.BOOT_FAILED


def test_a_job_that_runs_too_long_is_stopped() -> None:
    world = World()
    world.api.runs_for_s = 10_000
    begin = world.api.clock.now()
    assert cause(world.attend()) is Cause.TIMED_OUT
    assert 100 <= world.api.clock.now() - begin < 101
    assert world.attempt.stage is Stage.KEPT


def test_a_machine_that_never_starts_is_given_up() -> None:
    world = World()
    world.api.starts = False
    begin = world.api.clock.now()
    assert cause(world.attend()) is Cause.TIMED_OUT
    assert 30 <= world.api.clock.now() - begin < 32


def made_long_ago() -> World:
    """Return a world whose supervisor died when it had a machine, longer ago than it may start."""
    world = World()
    machine = world.machine()
    world.store.move(world.attempt, StageEvent.MADE, machine_id=machine.id)
    world.api.clock.advance(31)
    return world


def test_a_machine_that_started_while_nobody_watched_is_not_late() -> None:
    world = made_long_ago()
    world.api.runs_for_s = 60
    assert cause(world.attend(fresh=False)) is Cause.SUCCEEDED
    assert "stop" not in world.api.calls


def test_a_machine_that_ended_while_nobody_watched_is_not_late() -> None:
    world = made_long_ago()
    world.api.ends(world.api.machines["m1"])
    assert cause(world.attend(fresh=False)) is Cause.SUCCEEDED
    assert "stop" not in world.api.calls


def test_a_program_that_failed_while_nobody_watched_did_not_time_out() -> None:
    world = made_long_ago()
    world.store.note(world.attempt, started_at=world.api.clock.now())
    world.api.clock.advance(1000)
    world.api.ends(world.api.machines["m1"], exit_code=3)
    assert cause(world.attend(fresh=False)) is Cause.FAILED


def test_a_machine_that_did_not_start_while_nobody_watched_is_late() -> None:
    world = made_long_ago()
    world.api.machines["m1"].state = "starting"
    world.api.machines["m1"].events = []
    assert cause(world.attend(fresh=False)) is Cause.TIMED_OUT


def test_a_cancelled_program_that_is_slow_to_end_is_left_to_it() -> None:
    world = World()
    world.api.runs_for_s, world.api.stops_in_s = 10_000, 9
    nudged = asyncio.Event()
    wait = world.context.client.machines.wait

    async def wait_a_second(*args: Any, **kwargs: Any) -> None:
        world.store.cancel(world.job.id, at=1.0)
        nudged.set()  # as a survey does every second
        await wait(*args, **{**kwargs, "timeout": 1.0})

    client: Any = world.context.client
    client.machines.wait = wait_a_second
    asyncio.run(attend_claimed(world.context, world.attempt, world.job, nudged=nudged))
    assert cause(world.job) is Cause.CANCELLED
    assert world.attempt.stage is Stage.KEPT
    assert world.api.calls.count("stop") == 1


def test_a_machine_that_cannot_be_stopped_yet_is_asked_again() -> None:
    world = World()
    world.api.runs_for_s = 10_000
    stop, refusals = world.context.client.machines.stop, [WrongState("starting", status=412)]

    async def refuses_first(*args: Any) -> None:
        if refusals:
            raise refusals.pop()
        await stop(*args)

    client: Any = world.context.client
    client.machines.stop = refuses_first
    world.api.meanwhile = lambda: world.store.cancel(world.job.id, at=1.0)
    begin = world.api.clock.now()
    assert cause(world.attend()) is Cause.CANCELLED
    assert world.api.clock.now() - begin < 100
    assert world.attempt.stage is Stage.KEPT


def test_a_machine_that_does_not_stop_is_destroyed() -> None:
    world = World()
    world.api.runs_for_s, world.api.obeys_stop = 10_000, False
    assert cause(world.attend()) is Cause.TIMED_OUT
    assert "destroy" in world.api.calls
    assert world.attempt.stage is Stage.GONE


def test_a_cancelled_job_is_stopped_and_its_machine_kept() -> None:
    world = World()
    world.api.runs_for_s = 10_000
    world.api.meanwhile = lambda: world.store.cancel(world.job.id, at=1.0)
    assert cause(world.attend()) is Cause.CANCELLED
    assert world.attempt.stage is Stage.KEPT


def test_a_job_cancelled_before_it_has_a_machine_gets_none() -> None:
    world = World()
    world.store.cancel(world.job.id, at=1.0)
    assert cause(world.attend()) is Cause.CANCELLED
    assert world.api.machines == {}


def test_a_nudge_interrupts_the_wait() -> None:
    world = World()
    waiting = asyncio.Event()

    async def wait_for_ever(*_: Any, **__: Any) -> None:
        waiting.set()
        await asyncio.Event().wait()

    client: Any = world.context.client
    client.machines.wait = wait_for_ever

    async def main() -> None:
        nudged = asyncio.Event()
        attending = asyncio.create_task(
            attend_claimed(world.context, world.attempt, world.job, nudged=nudged)
        )
        await waiting.wait()
        world.store.cancel(world.job.id, at=1.0)
        world.api.obeys_stop = True
        client.machines.wait = world.api.client.machines.wait
        nudged.set()
        await attending

    asyncio.run(main())
    assert cause(world.job) is Cause.CANCELLED


def test_a_machine_that_vanished_is_lost() -> None:
    world = World()
    world.api.runs_for_s = 10_000
    world.api.meanwhile = world.api.machines.clear
    assert cause(world.attend()) is Cause.LOST
    assert world.attempt.stage is Stage.GONE


def test_a_machine_whose_exit_event_never_shows_is_lost() -> None:
    world = World()
    world.api.shows_exit_event = False
    assert cause(world.attend()) is Cause.LOST


def test_a_failed_boot_carries_the_platforms_words() -> None:
    world = World()
    machine = world.machine()
    machine.state = "failed"
    said = {"error": "command 'x' not found in PATH", "code": "boot_failed"}
    machine.events = [MachineEvent(type="start", status="failed", request=said)]
    job = world.attend(fresh=False)
    assert cause(job) is Cause.BOOT_FAILED
    assert job.outcome is not None
    assert "command 'x' not found in PATH" in job.outcome.message


@pytest.mark.parametrize(
    ("cancels", "expected"), [(True, Cause.CANCELLED), (False, Cause.BOOT_FAILED)]
)
def test_a_machine_that_was_stopped_while_it_waited_for_its_image_says_so(
    cancels: bool, expected: Cause
) -> None:
    world = World()
    machine = world.machine()
    begin = world.api.clock.now()
    why = {"error": "told to end while it waited for its image", "code": "cancelled"}
    failed = MachineEvent(type="start", status="failed", request=why)
    machine.state = "stopped"
    machine.events = [failed, MachineEvent(type="stop"), *(machine.events or ())]
    world.api.obeys_stop = False  # it has stopped already
    if cancels:
        world.store.cancel(world.job.id, at=1.0)
    job = world.attend(fresh=False)
    assert cause(job) is expected
    assert job.outcome is not None
    assert cancels or why["error"] in job.outcome.message
    assert world.api.clock.now() == begin  # nobody waits for an exit that cannot come


def test_the_report_of_a_task_is_its_outcome() -> None:
    world = World(TASK)
    report = Report("result", value={"a": 1})
    world.api.meanwhile = lambda: world.store.note_report(world.attempt_id, report, at=1)
    job = world.attend()
    assert job.outcome is not None
    assert (job.outcome.cause, job.outcome.value) == (Cause.SUCCEEDED, {"a": 1})


def test_the_log_is_saved_before_the_machine_goes() -> None:
    world = World()
    line = LogEntry(timestamp="2026-01-01T00:00:00.000000Z", provider="app", message="hello")
    world.api.log = [line]
    world.attend()
    assert world.store.logs(world.attempt_id) == [line]
    assert world.api.calls.index("log") < world.api.calls.index("destroy")


@pytest.mark.parametrize(("exit_code", "order"), [(0, ["told", "log"]), (3, ["log", "told"])])
def test_nobody_waits_for_the_log_of_a_success(exit_code: int, order: list[str]) -> None:
    world = World()
    world.api.exit = {"exit_code": exit_code}
    world.context = replace(world.context, ended=lambda _: world.api.calls.append("told"))
    world.attend()
    assert sorted(order, key=world.api.calls.index) == order


def test_a_machine_that_cannot_be_destroyed_is_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World()
    world.api.destroy_errors = [ServerFault("oops", status=500)]
    caplog.set_level(logging.INFO, "ephemera.jobs")
    assert cause(world.attend()) is Cause.SUCCEEDED
    assert world.attempt.stage is Stage.GONE
    assert "Error deleting machine: m1" in caplog.text
    assert "Deleted machine: m1" in caplog.text


def test_the_lines_of_the_log_are_those_of_the_guide(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "ephemera.jobs")
    world = World()
    world.api.exit = {"exit_code": 3}
    world.attend()
    assert "Started machine: m1" in caplog.text
    assert "Error performing job" in caplog.text
    assert "failed: the command exited with code 3 (machine m1)" in caplog.text
    assert f"ephemera jobs logs {world.job.id}" in caplog.text


class Killed(BaseException):
    """The supervisor dies here."""


def test_a_supervisor_killed_before_or_after_any_call_is_followed_by_one_that_finishes() -> None:
    for before in (True, False):
        for step in range(1, 100):
            world = World()
            survived = run_and_die(world, step, before=before)
            world.attend(fresh=False)
            assert cause(world.job) is Cause.SUCCEEDED
            assert [one.state for one in world.api.machines.values()] == ["destroyed"]
            assert world.attempt.stage is Stage.GONE
            if survived:
                break
        assert step > 5


def run_and_die(world: World, step: int, *, before: bool) -> bool:
    """Attend, and die at the given call to the API; True where there were fewer calls."""
    left = step

    def mortal(call: Any) -> Any:
        async def dies(*args: Any, **kwargs: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0 and before:
                raise Killed
            answer = await call(*args, **kwargs)
            if left == 0:
                raise Killed
            return answer

        return dies

    client = world.api.client
    for group in (client.machines, client.logs):
        for name, call in vars(group).items():
            setattr(group, name, mortal(call))
    context = replace(world.context, client=client)

    async def main() -> None:
        await attend_claimed(context, world.attempt, world.job, nudged=asyncio.Event())

    try:
        asyncio.run(main())
    except Killed:
        return False
    return True


def failed_attempts(world: World, count: int) -> list[str]:
    world.api.exit = {"exit_code": 1}
    ids = [world.attempt_id, *(world.claim() for _ in range(count - 1))]
    for id_ in ids:
        world.attempt_id = id_
        world.attend()
        world.api.clock.advance(100)
    return ids


def test_no_more_machines_are_kept_than_the_settings_say_and_the_oldest_go_first() -> None:
    world = World(keep=2)
    ids = failed_attempts(world, 4)
    stages = [one.stage for id_ in ids if (one := world.store.attempt(id_))]
    assert stages == [Stage.GONE, Stage.GONE, Stage.KEPT, Stage.KEPT]


def test_a_machine_is_kept_no_longer_than_the_settings_say() -> None:
    world = World()
    failed_attempts(world, 2)
    found = asyncio.run(trim(world.context, keep=10, keep_for_s=150))
    assert found == [Reaped("jobs", "m1", "too_old")]
    assert world.api.machines["m1"].state == "destroyed"
    assert world.api.machines["m2"].state == "stopped"


def test_a_dry_run_destroys_nothing() -> None:
    world = World()
    failed_attempts(world, 2)
    found = asyncio.run(trim(world.context, keep=1, keep_for_s=1e9, dry_run=True))
    assert found == [Reaped("jobs", "m1", "too_many")]
    assert world.api.machines["m1"].state == "stopped"


def test_only_this_stores_machines_without_an_owner_are_orphans() -> None:
    world = World()
    alive = world.machine()
    stranger, orphan = world.machine(), world.machine()
    for machine, marks in (
        (stranger, {"ephemera_store": "another", "ephemera_attempt": new_ulid()}),
        (orphan, {"ephemera_store": world.store.identity().id, "ephemera_attempt": new_ulid()}),
    ):
        assert machine.config is not None
        machine.config = machine.config.model_copy(update={"metadata": marks})
    found = asyncio.run(destroy_orphans(world.context, {"jobs"}))
    assert found == [Reaped("jobs", orphan.id, "orphan")]
    assert (alive.state, stranger.state) == ("started", "started")
    assert orphan.state == "destroyed"
