"""The second step of an attempt: its machine is watched until its program has ended.

What is waited for is the machine's own word, in long polls; time alone never ends an attempt.
When its time is over, or somebody cancels the job, that is written down first, then the machine
is asked to stop, once, and the waiting goes on: a second signal could break off what the program
does to end well. How long that may take is the platform's to watch, until we lose patience.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Literal

from ephemera.errors import Conflict, NotFound, WaitTimeout, WrongState
from ephemera.jobs.context import Context
from ephemera.jobs.machine import STOP_GRACE_S
from ephemera.jobs.outcome import Asked, Ending
from ephemera.jobs.records import AttemptRecord, JobRecord
from ephemera.jobs.states import Stage, StageEvent
from ephemera.wire.models import Machine

_log = logging.getLogger("ephemera.jobs")

#: Nothing of the program is left in any of these.
_OVER = ("stopped", "destroyed", "failed")
#: One wait at the API.
_POLL_S = 60.0
#: A machine that did not stop so long after it was asked to is destroyed.
_FORCE_AFTER_S = STOP_GRACE_S + 20.0
#: A machine that could not be asked to stop, because it is just starting, is asked again.
_ASK_AGAIN_S = 1.0
#: The API may say `stopped` a little before it shows the exit event.
_EXIT_EVENT_PAUSES_S = (0.1, 0.2, 0.5, 1.0, 2.0)


#: What a machine was told.
_Told = Literal["nothing", "stop", "destroy"]


async def watch(
    context: Context, attempt: AttemptRecord, job: JobRecord, nudged: asyncio.Event
) -> AttemptRecord:
    """Watch until the end of the machine was seen, and return the attempt, moved.

    Args:
        nudged: Set from outside where there is news in the store, such as a cancellation.
    """
    told: _Told = "nothing"
    try:
        while attempt.stage is Stage.WATCHED:
            nudged.clear()
            job = context.store.job(job.id) or job
            attempt = await _decide_to_stop(context, attempt, job)
            if attempt.stage is not Stage.WATCHED:
                return attempt
            told = await _stop(context, attempt, told)
            await _wait(context, attempt, _seconds_to_wait(context, attempt, job, told), nudged)
            attempt = await _look(context, attempt)
    except NotFound:
        gone = Ending("gone", error="the API does not know the machine any more")
        return context.store.move(attempt, StageEvent.EXIT_SEEN, ending=gone)
    return attempt


async def _look(context: Context, attempt: AttemptRecord) -> AttemptRecord:
    """Return the attempt with what its machine shows now: that it started, or how it ended."""
    machine = await context.client.machines.get(attempt.app, attempt.machine_id)
    if machine.state not in _OVER:
        return _note_start(context, attempt, machine)
    ending = await _ending(context, attempt, machine)
    started_at = attempt.started_at or _started_at(machine)
    return context.store.move(attempt, StageEvent.EXIT_SEEN, ending=ending, started_at=started_at)


async def _decide_to_stop(
    context: Context, attempt: AttemptRecord, job: JobRecord
) -> AttemptRecord:
    """Write down that the machine is to be stopped, where it is; that is decided once."""
    why = _why_stop(attempt, job, context.clock.now())
    if why in (Asked.TIMEOUT, Asked.START_TIMEOUT):
        # it may have started, or ended, while nobody watched
        attempt = await _look(context, attempt)
        why = _why_stop(attempt, job, context.clock.now())
    if why is None or attempt.stage is not Stage.WATCHED:
        return attempt
    return context.store.note(attempt, asked=why, asked_at=context.clock.now())


def _why_stop(attempt: AttemptRecord, job: JobRecord, now: float) -> Asked | None:
    if attempt.asked is not None:
        return None
    if job.cancel_requested_at is not None:
        return Asked.CANCEL
    if attempt.started_at is not None:
        return Asked.TIMEOUT if now >= attempt.started_at + job.work.timeout_s else None
    late = now >= attempt.created_at + job.work.start_timeout_s
    return Asked.START_TIMEOUT if late else None


def _seconds_to_wait(
    context: Context, attempt: AttemptRecord, job: JobRecord, told: _Told
) -> float:
    """Return how long nothing is due but the end itself."""
    now = context.clock.now()
    if attempt.asked_at is not None:
        if told != _to_tell(attempt, now):
            return _ASK_AGAIN_S
        due = attempt.asked_at + _FORCE_AFTER_S if told == "stop" else now + _POLL_S
    elif attempt.started_at is not None:
        due = attempt.started_at + job.work.timeout_s
    else:
        due = attempt.created_at + min(job.work.timeout_s, job.work.start_timeout_s)
        # by then we ask when it started, if it has, and count from there
        due = max(due, now + 0.5)
    return min(_POLL_S, max(0.1, due - now))


def _to_tell(attempt: AttemptRecord, now: float) -> _Told:
    if attempt.asked_at is None:
        return "nothing"
    return "destroy" if now >= attempt.asked_at + _FORCE_AFTER_S else "stop"


async def _stop(context: Context, attempt: AttemptRecord, told: _Told) -> _Told:
    """Tell the machine to stop if that is due, in the end to go; return what it was told."""
    app, machine_id = attempt.app, attempt.machine_id
    tell = _to_tell(attempt, context.clock.now())
    if tell == told:
        return told
    try:
        if tell == "destroy":
            _log.warning("Machine %s does not stop; destroying it", machine_id)
            await context.client.machines.destroy(app, machine_id, force=True)
        else:
            await context.client.machines.stop(app, machine_id)
    except (WrongState, Conflict) as error:
        _log.debug("Machine %s cannot be stopped now: %s", machine_id, error)
        return told
    return tell


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
        return _failure(machine) or Ending("failed")
    if machine.state == "destroyed":
        return Ending("gone", error="it was destroyed by somebody else")
    return _failure(machine)  # it was stopped before it was started


def _failure(machine: Machine) -> Ending | None:
    """Return why the newest boot could not be started; None where no event says so."""
    for event in machine.events or ():
        said = event.request or {}
        if event.status == "failed" and "error" in said:
            return Ending("failed", error=str(said["error"]), code=str(said.get("code", "")))
        if event.type in ("launch", "start"):
            return None
    return None
