"""The third step of an attempt: its outcome is decided and written, once, and its log is saved.

A failure is told with the last lines of its log, so that is saved first. Nobody who waits for a
success waits for its log: that is saved when the machine is dealt with, before it is destroyed.
"""

from __future__ import annotations

import logging

from ephemera.errors import EphemeraError, Stale
from ephemera.jobs.context import Context
from ephemera.jobs.logtail import LogTail
from ephemera.jobs.outcome import Ending, Outcome, decide
from ephemera.jobs.records import AttemptRecord, JobRecord
from ephemera.wire.models import LogEntry

_log = logging.getLogger("ephemera.jobs")


async def conclude(context: Context, attempt: AttemptRecord, job: JobRecord) -> AttemptRecord:
    """Write the outcome of an attempt whose machine has ended, and return the attempt."""
    heard, outcome = _decided(context, attempt, job)
    if not outcome.ok:
        await save_logs(context, attempt)
        heard, outcome = _decided(context, attempt, job)
    fresh = context.store.finish(heard, outcome, at=context.clock.now())
    _tell(attempt, outcome)
    context.ended(job.id)
    return fresh


def _decided(
    context: Context, attempt: AttemptRecord, job: JobRecord
) -> tuple[AttemptRecord, Outcome]:
    """Return the outcome, and the attempt that it follows from.

    The last report may have come since that was read; nothing comes after the end.

    Raises:
        Stale: another supervisor has decided.
    """
    heard = context.store.attempt(attempt.id) or attempt
    if heard.stage is not attempt.stage:
        raise Stale(f"attempt {attempt.id} was {heard.stage} by another supervisor")
    ending = heard.ending or Ending("gone")
    return heard, decide(ending, heard.report, heard.asked, is_task=job.work.task is not None)


async def save_logs(context: Context, attempt: AttemptRecord) -> None:
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
