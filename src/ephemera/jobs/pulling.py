"""Fetching the reports of a machine that cannot call back.

A laptop whose machines run on Fly.io cannot be reached from there, and a supervisor that was
started again may not get its old port. The runner keeps its reports as files and waits, with
the last one, until it is told that they are safe; here they are read by `exec`, in long polls
that stay below the 30 s after which Fly cuts them off.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

from ephemera.errors import EphemeraError
from ephemera.jobs.context import Context
from ephemera.jobs.machine import PAYLOAD_PATH, RUNNER_PATH, python_of
from ephemera.jobs.records import AttemptRecord, Work
from ephemera.jobs.reports import read_report
from ephemera.wire.models import ExecResult

_log = logging.getLogger("ephemera.jobs")

#: How long the program in the machine waits for a report.
_WAIT_S = 15
#: How long the API may take for it all.
_EXEC_TIMEOUT_S = 20
#: Between two polls that failed: the first pause, and the longest.
_PAUSE_S = 0.2
_PAUSE_MAX_S = 5.0


def must_pull(context: Context, attempt: AttemptRecord, work: Work) -> bool:
    """Return whether the attempt's reports do not come by themselves."""
    if work.task is None:
        return False
    return not attempt.report_url.startswith(f"{context.listener_url}/")


async def pull_reports(context: Context, attempt: AttemptRecord, work: Work) -> None:
    """Fetch reports until cancelled: whoever watches the machine knows when it is over."""
    pause, taken = _PAUSE_S, list[str]()
    while True:
        try:
            answer = await _poll(context, attempt, work, taken)
        except EphemeraError as error:
            _log.debug("No reports from machine %s yet: %s", attempt.machine_id, error)
            answer = None
        if answer is not None and answer.exit_code == 0:
            taken = list(_keep(context, attempt, answer))
            if taken or not answer.stdout:
                pause = _PAUSE_S
                continue
        await context.clock.sleep(pause)
        pause = min(pause * 2, _PAUSE_MAX_S)


async def _poll(
    context: Context, attempt: AttemptRecord, work: Work, taken: list[str]
) -> ExecResult:
    command = [python_of(work), RUNNER_PATH, "--pull", PAYLOAD_PATH, str(_WAIT_S), *taken]
    return await context.client.machines.exec(
        attempt.app, attempt.machine_id, command, timeout=_EXEC_TIMEOUT_S
    )


def _keep(context: Context, attempt: AttemptRecord, answer: ExecResult) -> Iterator[str]:
    """Store what was printed, and yield the names of the reports that are safe now."""
    for line in answer.stdout.splitlines():
        name, _, body = line.partition(" ")
        try:
            report = read_report(body)
        except ValueError as error:
            _log.warning("Machine %s holds no report: %s", attempt.machine_id, error)
            continue
        context.store.note_report(attempt.id, report, at=context.clock.now())
        yield name
