"""The last step of an attempt: its machine is destroyed, or kept so that somebody can look.

Kept means stopped, so it costs next to nothing; but not for ever, and not many. `reap` is the
same by hand, and finds machines of this store that no row owns any more.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ephemera.errors import EphemeraError, NotFound, Stale
from ephemera.jobs.context import Context
from ephemera.jobs.machine import ATTEMPT_KEY, STORE_KEY
from ephemera.jobs.making import find_machine
from ephemera.jobs.records import AttemptRecord
from ephemera.jobs.states import Stage, StageEvent

_log = logging.getLogger("ephemera.jobs")

#: Somebody sees to a machine's end already.
_GOING = frozenset({"destroying", "destroyed"})


@dataclass(frozen=True, slots=True)
class Reaped:
    """A machine that was destroyed, or would be."""

    app: str
    machine_id: str
    #: `too_many` or `too_old` where it had been kept; `orphan` where no attempt owns it.
    why: Literal["too_many", "too_old", "orphan"]


async def retain(context: Context, attempt: AttemptRecord) -> AttemptRecord:
    """Deal with the machine of an attempt that has its outcome, and return the attempt."""
    machine_id = attempt.machine_id
    if not machine_id:
        # nobody told us its id, but an answer may have been lost
        machine = await find_machine(context, attempt)
        machine_id = machine.id if machine else ""
    if machine_id and _is_worth_a_look(context, attempt):
        return context.store.move(attempt, StageEvent.KEEP)
    if machine_id:
        await _destroy(context, attempt.app, machine_id)
    return context.store.move(attempt, StageEvent.DESTROYED)


def _is_worth_a_look(context: Context, attempt: AttemptRecord) -> bool:
    if context.settings.keep == 0 or not attempt.machine_id:
        return False
    is_there = attempt.ending is not None and attempt.ending.how != "gone"
    if not is_there or attempt.outcome is None or attempt.outcome.ok:
        return False
    job = context.store.job(attempt.job_id)
    # A machine has its volume until it is destroyed, and other jobs may be waiting for that.
    return job is None or not job.work.volume


async def trim(
    context: Context, *, keep: int, keep_for_s: float, dry_run: bool = False
) -> list[Reaped]:
    """Destroy the kept machines that are too many or too old, and return them."""
    chosen = list(_beyond(context, keep, keep_for_s))
    for attempt, _ in chosen:
        if not dry_run:
            await _destroy(context, attempt.app, attempt.machine_id)
            with contextlib.suppress(Stale):  # somebody else destroyed it too
                context.store.move(attempt, StageEvent.DESTROYED)
    return [Reaped(attempt.app, attempt.machine_id, why) for attempt, why in chosen]


def _beyond(
    context: Context, keep: int, keep_for_s: float
) -> Iterator[tuple[AttemptRecord, Literal["too_many", "too_old"]]]:
    oldest = context.clock.now() - keep_for_s
    for place, attempt in enumerate(context.store.in_stage(Stage.KEPT)):
        if place >= keep:
            yield attempt, "too_many"
        elif (attempt.ended_at or 0.0) < oldest:
            yield attempt, "too_old"


async def destroy_orphans(
    context: Context, apps: set[str], *, dry_run: bool = False
) -> list[Reaped]:
    """Destroy the machines that bear this store's mark and that no attempt owns.

    They come from a store that was set back to an older copy. The machines are listed before
    the rows are read: a row is written before its machine is asked for, so a machine that is
    in the list and in no row has no row.
    """
    mark = context.store.identity().id
    found: list[Reaped] = []
    for app in sorted(apps):
        for machine_id, attempt_id in await _marked(context, app, mark):
            owner = context.store.attempt(attempt_id)
            if owner is not None and owner.stage is not Stage.GONE:
                continue
            if not dry_run:
                await _destroy(context, app, machine_id)
            found.append(Reaped(app, machine_id, "orphan"))
    return found


async def _marked(context: Context, app: str, mark: str) -> list[tuple[str, str]]:
    """Return the machines of an app that bear the mark, each with the id of its attempt."""
    try:
        machines = await context.client.machines.list(app, metadata={STORE_KEY: mark})
    except NotFound:
        return []  # there is no such app
    found: list[tuple[str, str]] = []
    for machine in machines:
        marks = (machine.config.metadata if machine.config else None) or {}
        if marks.get(STORE_KEY) == mark and machine.state not in _GOING:
            found.append((machine.id, marks.get(ATTEMPT_KEY, "")))
    return found


async def _destroy(context: Context, app: str, machine_id: str) -> None:
    """Destroy a machine that has ended. Repeating is safe."""
    try:
        await context.client.machines.destroy(app, machine_id, force=True)
    except NotFound:
        return
    except EphemeraError as error:
        _log.error("Error deleting machine: %s\n%s", machine_id, error)
        raise
    _log.info("Deleted machine: %s", machine_id)
