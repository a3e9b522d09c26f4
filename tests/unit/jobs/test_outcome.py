from __future__ import annotations

import json
from dataclasses import asdict, replace
from itertools import product

import pytest

from ephemera.errors import JobError
from ephemera.jobs.failures import EXCEPTIONS, failure
from ephemera.jobs.outcome import Asked, Cause, Ending, Outcome, Report, decide, signal_name

CLEAN = Ending("exited", exit_code=0)
STOPPED = Ending("exited", exit_code=143, signal=15, requested_stop=True)
KILLED = Ending("exited", exit_code=137, signal=9, requested_stop=True)
OBEYED = Ending("exited", exit_code=0, requested_stop=True)
CODE_3 = Ending("exited", exit_code=3)
CRASHED = Ending("exited", exit_code=139, signal=11)
OOM = Ending("exited", exit_code=137, signal=9, oom_killed=True)
UNSEEN = Ending("exited", exit_code=-1, error="monitor was killed")
FAILED = Ending("failed", error="command 'x' not found in PATH", code="boot_failed")
NO_IMAGE = Ending("failed", error="no such image", code="image_unavailable")
GONE = Ending("gone", error="destroyed by somebody else")
ENDINGS = (
    CLEAN, STOPPED, KILLED, OBEYED, CODE_3, CRASHED, OOM, UNSEEN, FAILED, NO_IMAGE, GONE,
)  # fmt: skip

RESULT = Report("result", value=[1])
RAISED = Report("error", error_type="ValueError", message="no", traceback="Traceback ...")
RAISED_WHEN_STOPPED = Report("error", error_type="OSError", interrupted="stop")
PAST_DEADLINE = Report("exit", exit_code=143, interrupted="deadline")
LEFT_WITH_0 = Report("exit", exit_code=0)
LEFT_WITH_4 = Report("exit", exit_code=4)
LEFT_WHEN_STOPPED = Report("exit", exit_code=143, interrupted="stop")
LEFT_POLITELY = Report("exit", exit_code=0, interrupted="stop")
REPORTS = (
    None, RESULT, RAISED, RAISED_WHEN_STOPPED, PAST_DEADLINE, LEFT_WITH_0, LEFT_WITH_4,
    LEFT_WHEN_STOPPED, LEFT_POLITELY,
)  # fmt: skip
ASKED = (None, *Asked)
CANCEL, TIMEOUT, START = Asked.CANCEL, Asked.TIMEOUT, Asked.START_TIMEOUT


@pytest.mark.parametrize(("ending", "asked"), list(product(ENDINGS, ASKED)))
def test_a_result_is_a_success_whatever_came_after_it(ending: Ending, asked: Asked | None) -> None:
    outcome = decide(ending, RESULT, asked, is_task=True)
    assert (outcome.cause, outcome.value) == (Cause.SUCCEEDED, [1])


@pytest.mark.parametrize(("ending", "asked"), list(product(ENDINGS, ASKED)))
def test_an_exception_before_the_stop_hit_is_the_cause(ending: Ending, asked: Asked | None) -> None:
    outcome = decide(ending, RAISED, asked, is_task=True)
    assert outcome.cause is Cause.RAISED
    assert (outcome.error_type, outcome.remote_traceback) == ("ValueError", "Traceback ...")


@pytest.mark.parametrize(("ending", "report", "asked"), list(product(ENDINGS, REPORTS, ASKED)))
def test_only_a_program_that_ended_well_succeeded(
    ending: Ending, report: Report | None, asked: Asked | None
) -> None:
    task = decide(ending, report, asked, is_task=True)
    assert task.ok == (report in (RESULT, LEFT_WITH_0))
    command = decide(ending, None, asked, is_task=False)
    assert command.ok == (ending is CLEAN or (ending is OBEYED and asked is None))


@pytest.mark.parametrize(
    ("ending", "asked", "cause"),
    [
        (CLEAN, None, Cause.SUCCEEDED),
        (CLEAN, CANCEL, Cause.SUCCEEDED),  # it had ended before the stop hit
        (CLEAN, TIMEOUT, Cause.SUCCEEDED),
        (CODE_3, None, Cause.FAILED),
        (CODE_3, CANCEL, Cause.FAILED),
        (STOPPED, CANCEL, Cause.CANCELLED),
        (STOPPED, TIMEOUT, Cause.TIMED_OUT),
        (STOPPED, START, Cause.TIMED_OUT),
        (KILLED, CANCEL, Cause.CANCELLED),
        (OBEYED, CANCEL, Cause.CANCELLED),
        (OBEYED, TIMEOUT, Cause.TIMED_OUT),
        (STOPPED, None, Cause.SIGNALLED),  # by somebody else
        (CRASHED, None, Cause.SIGNALLED),
        (CRASHED, CANCEL, Cause.SIGNALLED),
        (OOM, None, Cause.OOM_KILLED),
        (OOM, TIMEOUT, Cause.OOM_KILLED),
        (UNSEEN, None, Cause.LOST),
        (GONE, None, Cause.LOST),
        (GONE, CANCEL, Cause.CANCELLED),  # we destroyed it, for it did not stop
        (FAILED, None, Cause.BOOT_FAILED),
        (FAILED, START, Cause.TIMED_OUT),
        (NO_IMAGE, None, Cause.IMAGE_UNAVAILABLE),
        (Ending("exited", exit_code=127, error="not found"), None, Cause.BOOT_FAILED),
        (Ending("exited", exit_code=127), None, Cause.FAILED),
    ],
)
def test_the_machine_and_the_asking_decide_for_a_command(
    ending: Ending, asked: Asked | None, cause: Cause
) -> None:
    outcome = decide(ending, None, asked, is_task=False)
    assert (outcome.cause, outcome.exit_code) == (cause, ending.exit_code)


@pytest.mark.parametrize(
    ("ending", "cause"),
    [
        (CLEAN, Cause.NO_REPORT),
        (CODE_3, Cause.NO_REPORT),
        (CRASHED, Cause.SIGNALLED),
        (OOM, Cause.OOM_KILLED),
        (UNSEEN, Cause.LOST),
        (FAILED, Cause.BOOT_FAILED),
        (Ending("exited", exit_code=127), Cause.BOOT_FAILED),
    ],
)
def test_a_task_that_said_nothing_is_judged_by_its_machine(ending: Ending, cause: Cause) -> None:
    outcome = decide(ending, None, None, is_task=True)
    assert (outcome.cause, outcome.exit_code) == (cause, ending.exit_code)


@pytest.mark.parametrize(
    ("report", "asked", "cause"),
    [
        (RAISED_WHEN_STOPPED, CANCEL, Cause.CANCELLED),
        (RAISED_WHEN_STOPPED, TIMEOUT, Cause.TIMED_OUT),
        (LEFT_WHEN_STOPPED, CANCEL, Cause.CANCELLED),
        (LEFT_POLITELY, CANCEL, Cause.CANCELLED),
        (LEFT_WHEN_STOPPED, None, Cause.SIGNALLED),
        (PAST_DEADLINE, None, Cause.TIMED_OUT),
        (PAST_DEADLINE, CANCEL, Cause.TIMED_OUT),
        (LEFT_WITH_4, None, Cause.FAILED),
        (LEFT_WITH_4, CANCEL, Cause.FAILED),
    ],
)
def test_what_the_runner_had_been_told_decides_for_an_interrupted_task(
    report: Report, asked: Asked | None, cause: Cause
) -> None:
    assert decide(STOPPED, report, asked, is_task=True).cause is cause


def test_sys_exit_is_reported_with_its_own_code() -> None:
    outcome = decide(CODE_3, LEFT_WITH_4, None, is_task=True)
    assert (outcome.exit_code, outcome.message) == (4, "the task exited with code 4")


def test_what_a_task_exits_with_in_words_is_told() -> None:
    left = replace(LEFT_WITH_4, exit_code=1, message="no such album")
    outcome = decide(CODE_3, left, None, is_task=True)
    assert outcome.message == "the task exited with code 1: no such album"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("1 error\n  field: none\n", "1 error field: none"),
        ("\x1b[2J\rgone\0 \x9b", "[2J gone"),
        ("Größe 大 🎉", "Größe 大 🎉"),
        ("x" * 5000, "x" * (1000 - len("the task raised ValueError: ")) + " ..."),
    ],
)
def test_what_a_machine_says_of_its_end_is_one_line_of_print(said: str, told: str) -> None:
    outcome = decide(CODE_3, replace(RAISED, message=said), None, is_task=True)
    assert outcome.message == f"the task raised ValueError: {told}"


def test_an_outcome_survives_json() -> None:
    outcome = Outcome(Cause.RAISED, "no", exit_code=1, error_type="E", remote_traceback="T")
    assert Outcome.from_json(json.loads(json.dumps(asdict(outcome)))) == outcome


def test_every_cause_but_success_has_an_exception() -> None:
    assert set(EXCEPTIONS) == set(Cause) - {Cause.SUCCEEDED}


@pytest.mark.parametrize("cause", EXCEPTIONS)
def test_an_exception_carries_what_is_needed_to_act(cause: Cause) -> None:
    outcome = Outcome(cause, "it went wrong", exit_code=3, remote_traceback="Traceback ...")
    error = failure(outcome, job_id="J", machine_id="M", log_tail=("last words",))
    assert isinstance(error, JobError)
    assert (error.job_id, error.machine_id, error.cause) == ("J", "M", cause)
    assert "it went wrong" in str(error)
    assert "last words" in str(error)


@pytest.mark.parametrize(
    ("asked", "option"),
    [(Asked.TIMEOUT, " timeout=..."), (Asked.START_TIMEOUT, " start_timeout=...")],
)
def test_a_hint_names_the_timeout_that_was_over(asked: Asked, option: str) -> None:
    outcome = decide(STOPPED, None, asked, is_task=True)
    assert option in failure(outcome, job_id="J", machine_id="M", log_tail=()).hint


def test_a_signal_without_a_name_is_called_by_its_number() -> None:
    assert (signal_name(9), signal_name(99)) == ("SIGKILL", "signal 99")
