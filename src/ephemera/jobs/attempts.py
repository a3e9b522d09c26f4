"""The way of one attempt: the step that its stage calls for, again and again, until it is settled.

Every step reads the row and leaves a row from which the next one follows, so a supervisor that
is killed between any two of them is followed by one that does the next. See `states`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging

from ephemera.errors import EphemeraError, Stale
from ephemera.jobs.concluding import conclude, save_logs
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


async def attend(context: Context, attempt_id: str, *, nudged: asyncio.Event) -> None:
    """Bring an attempt to its end, or as far as it goes before this is cancelled.

    Args:
        nudged: Set from outside where there is news in the store about it.
    """
    attempt = context.store.attempt(attempt_id)
    if attempt is None:
        return
    job = context.store.job(attempt.job_id)
    if job is None:
        raise LookupError(f"attempt {attempt.id} belongs to no job")
    await _attend(context, attempt, job, fresh=False, nudged=nudged)


async def attend_claimed(
    context: Context, attempt: AttemptRecord, job: JobRecord, *, nudged: asyncio.Event
) -> None:
    """Do the same for an attempt that the caller has just written down: it has no machine yet."""
    await _attend(context, attempt, job, fresh=True, nudged=nudged)


async def _attend(
    context: Context,
    attempt: AttemptRecord | None,
    job: JobRecord,
    *,
    fresh: bool,
    nudged: asyncio.Event,
) -> None:
    """Do step after step. The job is as it was: what may change of it, long steps read anew."""
    pause = _PAUSE_S
    while attempt is not None and attempt.stage in UNDER_WAY:
        id_ = attempt.id
        try:
            attempt = await _step(context, attempt, job, fresh=fresh, nudged=nudged)
            pause = _PAUSE_S
        except Stale:
            _log.debug("Attempt %s was moved by another supervisor", id_)
            attempt = context.store.attempt(id_)
        except EphemeraError as error:
            _log.warning("Attempt %s: %s; trying again in %g s", id_, error, pause)
            await context.clock.sleep(pause)
            pause = min(pause * 2, _PAUSE_MAX_S)
            attempt = context.store.attempt(id_)
        fresh = False


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
    if attempt.outcome is not None and attempt.outcome.ok:
        await save_logs(context, attempt)
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
