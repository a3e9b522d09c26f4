"""The first step of an attempt: its machine is made, or found and adopted, or cannot be had.

The attempt's row was written before, with the machine's name. A supervisor that finds such a
row and did not write it itself looks for the machine before it asks for one, among those that
are destroyed too: a job runs once even where everybody dies in the middle of this.
"""

from __future__ import annotations

import logging
import re

from ephemera.errors import (
    ApiError,
    ConfigError,
    Conflict,
    EphemeraError,
    Invalid,
    NoAnswer,
    NoCapacity,
    NotFound,
    RateLimited,
    ServerFault,
)
from ephemera.jobs.context import Context
from ephemera.jobs.machine import ATTEMPT_KEY, config_of
from ephemera.jobs.outcome import Cause, Outcome
from ephemera.jobs.records import AttemptRecord, JobRecord
from ephemera.jobs.states import StageEvent
from ephemera.wire.models import Machine

_log = logging.getLogger("ephemera.jobs")

#: It may work the next time.
_PASSING = (RateLimited, ServerFault, NoAnswer)
#: Between two requests for a machine: the first pause, and the longest.
_PAUSE_S = 0.5
_PAUSE_MAX_S = 15.0
_IMAGE_TROUBLE = re.compile(r"\bimage\b|\bmanifest\b", re.IGNORECASE)


async def make(
    context: Context, attempt: AttemptRecord, job: JobRecord, *, fresh: bool
) -> AttemptRecord:
    """Give an intended attempt its machine, and return the attempt.

    Args:
        fresh: Nobody can have asked for its machine yet.
    """
    pause = _PAUSE_S
    while True:
        try:
            return await _try(context, attempt, job, fresh=fresh)
        except _PASSING as error:
            deadline = attempt.created_at + job.work.start_timeout_s
            if context.clock.now() + pause >= deadline:
                return _give_up(context, attempt, error)
            _log.warning("Cannot start a machine for job %s yet: %s", job.id, error)
        except (ApiError, ConfigError) as error:
            return _give_up(context, attempt, error)
        fresh = False
        await context.clock.sleep(pause)
        pause = min(pause * 2, _PAUSE_MAX_S)
        job = context.store.job(job.id) or job  # it may have been cancelled


async def _try(
    context: Context, attempt: AttemptRecord, job: JobRecord, *, fresh: bool
) -> AttemptRecord:
    machine = None if fresh else await find_machine(context, attempt)
    if machine is None:
        if job.cancel_requested_at is not None:
            outcome = Outcome(Cause.CANCELLED, "cancelled before it had a machine")
            return _finish(context, attempt, outcome)
        machine = await _create(context, attempt, job)
    _log.info("Started machine: %s", machine.id)
    return context.store.move(attempt, StageEvent.MADE, machine_id=machine.id)


async def find_machine(context: Context, attempt: AttemptRecord) -> Machine | None:
    """Return the attempt's machine, alive or destroyed; None where there never was one."""
    wanted = {ATTEMPT_KEY: attempt.id}
    try:
        machines = await context.client.machines.list(
            attempt.app, include_deleted=True, metadata=wanted
        )
    except NotFound:
        return None  # there is no such app
    # a server that does not know the filter answers with all machines
    ours = (machine for machine in machines if machine.name == attempt.machine_name)
    return next(ours, None)


async def _create(context: Context, attempt: AttemptRecord, job: JobRecord) -> Machine:
    async with context.making:
        try:
            return await _ask(context, attempt, job)
        except Conflict:
            found = await find_machine(context, attempt)
            if found is None:
                raise
            return found
        except NotFound:
            if not context.makes_apps:
                raise
            await _make_app(context, attempt.app)
            return await _ask(context, attempt, job)


async def _ask(context: Context, attempt: AttemptRecord, job: JobRecord) -> Machine:
    config = config_of(
        job.work,
        attempt,
        context.store.identity(),
        patience_s=context.settings.report_patience_s,
    )
    return await context.client.machines.create(
        attempt.app, config=config, name=attempt.machine_name, region=job.work.region or None
    )


async def _make_app(context: Context, app: str) -> None:
    try:
        await context.client.apps.create(app)
    except (Conflict, Invalid):
        await context.client.apps.get(app)  # somebody was first, or this raises why not


def _give_up(context: Context, attempt: AttemptRecord, error: EphemeraError) -> AttemptRecord:
    _log.error("Error starting job machine\n%s", error)
    return _finish(context, attempt, Outcome(_cause(error), f"no machine could be made: {error}"))


def _cause(error: EphemeraError) -> Cause:
    if isinstance(error, NoCapacity):
        return Cause.NO_CAPACITY
    if isinstance(error, Invalid) and _IMAGE_TROUBLE.search(error.message):
        return Cause.IMAGE_UNAVAILABLE
    return Cause.BOOT_FAILED


def _finish(context: Context, attempt: AttemptRecord, outcome: Outcome) -> AttemptRecord:
    fresh = context.store.finish(attempt, outcome, at=context.clock.now())
    context.ended(attempt.job_id)
    return fresh
