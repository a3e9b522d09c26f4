"""The third step of an attempt: its log is saved, its outcome decided and written, once."""

from __future__ import annotations

import logging

from ephemera.errors import EphemeraError
from ephemera.jobs.context import Context
from ephemera.jobs.logtail import LogTail
from ephemera.jobs.outcome import Ending, Outcome, decide
from ephemera.jobs.records import AttemptRecord, JobRecord
from ephemera.wire.models import LogEntry

_log = logging.getLogger("ephemera.jobs")


async def conclude(context: Context, attempt: AttemptRecord, job: JobRecord) -> AttemptRecord:
    """Write the outcome of an attempt whose machine has ended, and return the attempt."""
    await _save_logs(context, attempt)
    # the last report may have come since the attempt was read; nothing comes after the end
    heard = context.store.attempt(attempt.id) or attempt
    outcome = decide(
        heard.ending or Ending("gone"),
        heard.report,
        heard.asked,
        is_task=job.work.task is not None,
    )
    fresh = context.store.finish(heard, outcome, at=context.clock.now())
    _tell(attempt, outcome)
    context.ended(job.id)
    return fresh


async def _save_logs(context: Context, attempt: AttemptRecord) -> None:
    """Keep what the machine printed. Not having it does not hold up the outcome."""
    try:
        lines = await read_log(context, attempt)
    except EphemeraError as error:
        _log.warning("The log of machine %s could not be saved: %s", attempt.machine_id, error)
        return
    context.store.save_logs(attempt.id, lines)


async def read_log(context: Context, attempt: AttemptRecord) -> list[LogEntry]:
    """Return the newest lines of the attempt's machine, oldest first."""
    tail = LogTail()
    while not tail.complete:
        tail.add(
            await context.client.logs.page(
                attempt.app, next_token=tail.next_token, machine=attempt.machine_id
            )
        )
    return tail.lines


def _tell(attempt: AttemptRecord, outcome: Outcome) -> None:
    if outcome.ok:
        return
    _log.error(
        "Error performing job\n%s (machine %s); look with `ephemera jobs logs %s`",
        outcome,
        attempt.machine_id,
        attempt.job_id,
    )
