"""The second step of an attempt: its machine is watched until its program has ended.

What is waited for is the machine's own word, in long polls; time alone never ends an attempt.
When its time is over, or somebody cancels the job, that is written down first, then the machine
is asked to stop, and the waiting goes on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from ephemera.errors import Conflict, NotFound, WaitTimeout, WrongState
from ephemera.jobs.context import Context
from ephemera.jobs.machine import STOP_GRACE_S
from ephemera.jobs.outcome import Asked, Ending
from ephemera.jobs.records import AttemptRecord, JobRecord
from ephemera.jobs.states import StageEvent
from ephemera.wire.models import Machine

_log = logging.getLogger("ephemera.jobs")

#: Nothing of the program is left in any of these.
_OVER = ("stopped", "destroyed", "failed")
#: One wait at the API.
_POLL_S = 60.0
#: A machine that did not stop so long after it was asked to is destroyed.
_FORCE_AFTER_S = STOP_GRACE_S + 20.0
#: The API may say `stopped` a little before it shows the exit event.
_EXIT_EVENT_PAUSES_S = (0.1, 0.2, 0.5, 1.0, 2.0)


async def watch(
    context: Context, attempt: AttemptRecord, job: JobRecord, nudged: asyncio.Event
) -> AttemptRecord:
    """Watch for one poll and return the attempt, moved where its end was seen.

    Args:
        nudged: Set from outside where there is news in the store, such as a cancellation.
    """
    nudged.clear()
    fresh_job = context.store.job(job.id) or job
    attempt = await _decide_to_stop(context, attempt, fresh_job)
    try:
        if attempt.asked is not None:
            await _stop(context, attempt)
        await _wait(context, attempt, _seconds_to_wait(context, attempt, job), nudged)
        machine = await context.client.machines.get(attempt.app, attempt.machine_id)
    except NotFound:
        gone = Ending("gone", error="the API does not know the machine any more")
        return context.store.move(attempt, StageEvent.EXIT_SEEN, ending=gone)
    if machine.state not in _OVER:
        return _note_start(context, attempt, machine)
    ending = await _ending(context, attempt, machine)
    started_at = attempt.started_at or _started_at(machine)
    return context.store.move(attempt, StageEvent.EXIT_SEEN, ending=ending, started_at=started_at)


async def _decide_to_stop(
    context: Context, attempt: AttemptRecord, job: JobRecord
) -> AttemptRecord:
    if attempt.asked is not None:
        return attempt
    now = context.clock.now()
    asked = None
    if job.cancel_requested_at is not None:
        asked = Asked.CANCEL
    elif attempt.started_at is not None and now >= attempt.started_at + job.work.timeout_s:
        asked = Asked.TIMEOUT
    elif attempt.started_at is None and now >= attempt.created_at + job.work.start_timeout_s:
        asked = Asked.START_TIMEOUT
    if asked is None:
        return attempt
    return context.store.note(attempt, asked=asked, asked_at=now)


def _seconds_to_wait(context: Context, attempt: AttemptRecord, job: JobRecord) -> float:
    """Return how long nothing is due but the end itself."""
    if attempt.asked_at is not None:
        due = attempt.asked_at + _FORCE_AFTER_S
    elif attempt.started_at is not None:
        due = attempt.started_at + job.work.timeout_s
    else:
        due = attempt.created_at + min(job.work.timeout_s, job.work.start_timeout_s)
        # by then we ask when it started, if it has, and count from there
        due = max(due, context.clock.now() + 0.5)
    return min(_POLL_S, max(0.1, due - context.clock.now()))


async def _stop(context: Context, attempt: AttemptRecord) -> None:
    """Ask the machine to stop; in the end, without asking. Repeating is safe."""
    app, machine_id = attempt.app, attempt.machine_id
    forced = context.clock.now() >= (attempt.asked_at or 0.0) + _FORCE_AFTER_S
    try:
        if forced:
            _log.warning("Machine %s does not stop; destroying it", machine_id)
            await context.client.machines.destroy(app, machine_id, force=True)
        else:
            await context.client.machines.stop(app, machine_id)
    except (WrongState, Conflict) as error:
        _log.debug("Machine %s cannot be stopped now: %s", machine_id, error)


async def _wait(
    context: Context, attempt: AttemptRecord, seconds: float, nudged: asyncio.Event
) -> None:
    """Return when the machine is over, the time is, or there is news."""
    over = context.client.machines.wait(
        attempt.app, attempt.machine_id, state=_OVER, timeout=seconds
    )
    try:
        await _first_of(over, nudged.wait())
    except WaitTimeout:
        return


async def _first_of(*alternatives: Coroutine[Any, Any, Any]) -> None:
    """Return when the first is done, with its exception if it has one; cancel the others."""
    tasks = [asyncio.ensure_future(one) for one in alternatives]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


def _note_start(context: Context, attempt: AttemptRecord, machine: Machine) -> AttemptRecord:
    if attempt.started_at is not None or machine.state not in ("started", "stopping"):
        return attempt
    started_at = _started_at(machine) or context.clock.now()
    return context.store.note(attempt, started_at=started_at)


def _started_at(machine: Machine) -> float | None:
    for event in machine.events or ():
        if event.type == "start" and event.status == "started":
            return event.timestamp / 1000
    return None


async def _ending(context: Context, attempt: AttemptRecord, machine: Machine) -> Ending:
    """Return how the machine ended, asking again where its exit event is not there yet."""
    for pause in _EXIT_EVENT_PAUSES_S:
        ending = ending_of(machine)
        if ending is not None:
            return ending
        await context.clock.sleep(pause)
        machine = await context.client.machines.get(attempt.app, attempt.machine_id)
    error = f"it is {machine.state}, and no exit event tells how it ended"
    return ending_of(machine) or Ending("gone", error=error)


def ending_of(machine: Machine) -> Ending | None:
    """Return how a machine that is over ended; None where that cannot be told yet."""
    left = machine.last_exit()
    if left is not None:
        return Ending(
            "exited",
            exit_code=left.exit_code,
            signal=left.signal if left.signal > 0 else None,
            oom_killed=left.oom_killed,
            requested_stop=left.requested_stop,
            error=left.error,
        )
    if machine.state == "failed":
        return _failure(machine)
    if machine.state == "destroyed":
        return Ending("gone", error="it was destroyed by somebody else")
    return None


def _failure(machine: Machine) -> Ending:
    for event in machine.events or ():
        said = event.request or {}
        if event.status == "failed" and "error" in said:
            return Ending("failed", error=str(said["error"]), code=str(said.get("code", "")))
    return Ending("failed")
