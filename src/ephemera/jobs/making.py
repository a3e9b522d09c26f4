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
    Unreachable,
    WrongState,
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
#: Of a job whose volume another machine has; that one may be of a job, too, and end.
_VOLUME_TAKEN = re.compile(r"\bbound to machine\b", re.IGNORECASE)
#: Between two requests for a machine: the first pause, and the longest.
_PAUSE_S = 0.5
_PAUSE_MAX_S = 15.0
_IMAGE_TROUBLE = re.compile(r"\bimage\b|\bmanifest\b", re.IGNORECASE)


async def make(
    context: Context, attempt: AttemptRecord, job: JobRecord, *, fresh: bool
) -> AttemptRecord:
    """Give an intended attempt its machine, and return the attempt.

    However long it takes, nothing is given up while a machine may exist that we do not know of.

    Args:
        fresh: Nobody can have asked for its machine yet.
    """
    search = _Search(context, attempt, unsure=not fresh)
    deadline = attempt.created_at + job.work.start_timeout_s
    trouble: EphemeraError | None = None
    pause = _PAUSE_S
    while True:
        try:
            machine = await search.found()
            if machine is None and job.cancel_requested_at is not None:
                outcome = Outcome(Cause.CANCELLED, "cancelled before it had a machine")
                return _finish(context, attempt, outcome)
            if machine is None and trouble is not None and context.clock.now() >= deadline:
                return _give_up(context, attempt, trouble)
            return _made(context, attempt, machine or await search.created(job))
        except (ApiError, ConfigError, NoAnswer) as error:
            late = context.clock.now() + pause >= deadline
            if not search.unsure and (late or not _may_pass(error)):
                return _give_up(context, attempt, error)
            trouble = error
            _log.warning("Cannot start a machine for job %s yet: %s", job.id, error)
        await context.clock.sleep(pause)
        pause = min(pause * 2, _PAUSE_MAX_S)
        job = context.store.job(job.id) or job  # it may have been cancelled


class _Search:
    """What is known of the machine of one attempt.

    Args:
        unsure: Whether one may exist that we do not know of.
    """

    def __init__(self, context: Context, attempt: AttemptRecord, *, unsure: bool) -> None:
        self._context = context
        self._attempt = attempt
        self.unsure = unsure

    async def found(self) -> Machine | None:
        """Return the machine where there is one, looking for it if need be."""
        if not self.unsure:
            return None
        machine = await find_machine(self._context, self._attempt)
        self.unsure = machine is not None
        return machine

    async def created(self, job: JobRecord) -> Machine:
        """Return a new machine, or the one that has its name already."""
        async with self._context.making:
            try:
                return await self._ask(job)
            except Conflict:
                machine = await self.found()
                if machine is None:
                    raise
                return machine
            except NotFound:
                if not self._context.makes_apps:
                    raise
                await _make_app(self._context, self._attempt.app)
                return await self._ask(job)

    async def _ask(self, job: JobRecord) -> Machine:
        context, attempt = self._context, self._attempt
        identity = context.store.identity()
        config = config_of(job.work, attempt, identity, patience_s=context.report_patience_s)
        self.unsure = True
        try:
            return await context.client.machines.create(
                attempt.app,
                config=config,
                name=attempt.machine_name,
                region=job.work.region or None,
            )
        except (ApiError, ConfigError, NoAnswer) as error:
            self.unsure = not _is_never_applied(error)
            raise


def _may_pass(error: EphemeraError) -> bool:
    if isinstance(error, WrongState):
        return bool(_VOLUME_TAKEN.search(error.message))
    return isinstance(error, _PASSING)


def _is_never_applied(error: EphemeraError) -> bool:
    """Return whether a request that ended so made no machine, and none was there before it."""
    if isinstance(error, NoAnswer):
        return isinstance(error, Unreachable)
    return not isinstance(error, (ServerFault, Conflict))


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


async def _make_app(context: Context, app: str) -> None:
    try:
        await context.client.apps.create(app)
    except (Conflict, Invalid) as refused:
        try:
            await context.client.apps.get(app)  # somebody was first
        except NotFound:
            raise refused from None  # nobody was: it cannot be called so


def _made(context: Context, attempt: AttemptRecord, machine: Machine) -> AttemptRecord:
    _log.info("Started machine: %s", machine.id)
    return context.store.move(attempt, StageEvent.MADE, machine_id=machine.id)


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
