"""The way of one attempt: the step that its stage calls for, again and again, until it is settled.

Every step reads the row and leaves a row from which the next one follows, so a supervisor that
is killed between any two of them is followed by one that does the next. See `states`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging

from ephemera.errors import EphemeraError, Stale
from ephemera.jobs.concluding import conclude
from ephemera.jobs.context import Context
from ephemera.jobs.making import make
from ephemera.jobs.pulling import must_pull, pull_reports
from ephemera.jobs.records import AttemptRecord, JobRecord
from ephemera.jobs.retention import retain, trim
from ephemera.jobs.states import UNDER_WAY, Stage
from ephemera.jobs.watching import watch

_log = logging.getLogger("ephemera.jobs")

#: After a step that failed: the first pause, and the longest.
_PAUSE_S = 1.0
_PAUSE_MAX_S = 30.0


async def attend(context: Context, attempt_id: str, *, fresh: bool, nudged: asyncio.Event) -> None:
    """Bring an attempt to its end, or as far as it goes before this is cancelled.

    Args:
        fresh: This supervisor has just written the attempt down, so it has no machine yet.
        nudged: Set from outside where there is news in the store about it.
    """
    pause = _PAUSE_S
    attempt = context.store.attempt(attempt_id)
    job = _job_of(context, attempt) if attempt else None
    while attempt is not None and job is not None and attempt.stage in UNDER_WAY:
        try:
            attempt = await _step(context, attempt, job, fresh=fresh, nudged=nudged)
            pause = _PAUSE_S
        except Stale:
            _log.debug("Attempt %s was moved by another supervisor", attempt_id)
            attempt = context.store.attempt(attempt_id)
        except EphemeraError as error:
            _log.warning("Attempt %s: %s; trying again in %g s", attempt_id, error, pause)
            await context.clock.sleep(pause)
            pause = min(pause * 2, _PAUSE_MAX_S)
            attempt = context.store.attempt(attempt_id)
        fresh = False


def _job_of(context: Context, attempt: AttemptRecord) -> JobRecord:
    """Return the job, read once: what may change of it, steps that take long read anew."""
    job = context.store.job(attempt.job_id)
    if job is None:
        raise LookupError(f"attempt {attempt.id} belongs to no job")
    return job


async def _step(
    context: Context,
    attempt: AttemptRecord,
    job: JobRecord,
    *,
    fresh: bool,
    nudged: asyncio.Event,
) -> AttemptRecord:
    if attempt.stage is Stage.INTENDED:
        return await make(context, attempt, job, fresh=fresh)
    if attempt.stage is Stage.WATCHED:
        return await _watch_to_the_end(context, attempt, job, nudged)
    if attempt.stage is Stage.EXITED:
        return await conclude(context, attempt, job)
    settled = await retain(context, attempt)
    if settled.stage is Stage.KEPT:
        settings = context.settings
        await trim(context, keep=settings.keep, keep_for_s=settings.keep_for_s)
    return settled


async def _watch_to_the_end(
    context: Context, attempt: AttemptRecord, job: JobRecord, nudged: asyncio.Event
) -> AttemptRecord:
    async with contextlib.AsyncExitStack() as stack:
        if must_pull(context, attempt, job.work):
            puller = asyncio.create_task(pull_reports(context, attempt, job.work))
            stack.push_async_callback(_cancelled, puller)
        return await watch(context, attempt, job, nudged)


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    (ended,) = await asyncio.gather(task, return_exceptions=True)
    if isinstance(ended, Exception):
        _log.error("Fetching reports failed", exc_info=ended)
