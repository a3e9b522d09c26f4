"""The states of a job and the stages of an attempt, and every move between them.

A *job* is what a caller enqueued; an *attempt* is one machine given to it. A job says how far
it is for those who wait; an attempt says how far the supervisor is with its machine, so that
whoever reads the row after a crash knows the one step that is due:

```
stage      due next                                 then
intended   make the machine, or find and adopt it   watched, or ended where it cannot be made
watched    wait until the machine's program ended   exited
exited     decide, write the outcome                ended
ended      save its log, destroy it, or keep it     gone, or kept
kept       destroy it when its time is over         gone
gone       nothing
```

The diagram in `docs/reference/job-states.md` is printed from these tables.
"""

from __future__ import annotations

from enum import StrEnum
from typing import overload

from ephemera.errors import IllegalMove


class JobState(StrEnum):
    """Where a job is."""

    #: It waits for a supervisor to give it a machine.
    QUEUED = "queued"
    #: It has an attempt; its machine may still be starting.
    RUNNING = "running"
    #: It has an outcome.
    ENDED = "ended"


class JobEvent(StrEnum):
    """What moves a job."""

    #: A supervisor wrote down an attempt for it.
    CLAIM = "claim"
    #: Somebody cancelled it before it had an attempt.
    CANCEL = "cancel"
    #: Its attempt has an outcome.
    END = "end"
    #: Somebody asks for another attempt.
    RETRY = "retry"


class Stage(StrEnum):
    """How far the supervisor is with an attempt."""

    #: Written down; its machine may or may not exist.
    INTENDED = "intended"
    #: Its machine exists and its end has not been seen.
    WATCHED = "watched"
    #: Its machine's end has been seen and is in the row.
    EXITED = "exited"
    #: Its outcome is written; its machine still has to be dealt with.
    ENDED = "ended"
    #: Its machine is kept, stopped, so that somebody can look.
    KEPT = "kept"
    #: It has no machine (any more).
    GONE = "gone"


class StageEvent(StrEnum):
    """What moves an attempt."""

    #: The API told the id of the machine.
    MADE = "made"
    #: The machine's program was seen to have ended, or the machine to be gone.
    EXIT_SEEN = "exit_seen"
    #: The outcome was decided.
    DECIDED = "decided"
    #: The machine stays, for somebody to look at.
    KEEP = "keep"
    #: The machine is destroyed, or never was.
    DESTROYED = "destroyed"


JOB_MOVES: dict[JobState, dict[JobEvent, JobState]] = {
    JobState.QUEUED: {
        JobEvent.CLAIM: JobState.RUNNING,
        JobEvent.CANCEL: JobState.ENDED,
    },
    JobState.RUNNING: {JobEvent.END: JobState.ENDED},
    JobState.ENDED: {JobEvent.RETRY: JobState.QUEUED},
}

STAGE_MOVES: dict[Stage, dict[StageEvent, Stage]] = {
    Stage.INTENDED: {
        StageEvent.MADE: Stage.WATCHED,
        StageEvent.DECIDED: Stage.ENDED,
    },
    Stage.WATCHED: {StageEvent.EXIT_SEEN: Stage.EXITED},
    Stage.EXITED: {StageEvent.DECIDED: Stage.ENDED},
    Stage.ENDED: {
        StageEvent.KEEP: Stage.KEPT,
        StageEvent.DESTROYED: Stage.GONE,
    },
    Stage.KEPT: {StageEvent.DESTROYED: Stage.GONE},
    Stage.GONE: {},
}

#: The supervisor has something to do for an attempt in one of these.
UNDER_WAY = frozenset({Stage.INTENDED, Stage.WATCHED, Stage.EXITED, Stage.ENDED})
#: The outcome is not written yet: a report is still welcome.
UNDECIDED = frozenset({Stage.INTENDED, Stage.WATCHED, Stage.EXITED})


@overload
def after(state: JobState, event: JobEvent) -> JobState: ...
@overload
def after(state: Stage, event: StageEvent) -> Stage: ...
def after(state: JobState | Stage, event: JobEvent | StageEvent) -> JobState | Stage:
    """Return the state of a job, or the stage of an attempt, that follows.

    Raises:
        IllegalMove: the table has no such move.
    """
    if isinstance(state, JobState) and isinstance(event, JobEvent):
        follows: JobState | Stage | None = JOB_MOVES[state].get(event)
    elif isinstance(state, Stage) and isinstance(event, StageEvent):
        follows = STAGE_MOVES[state].get(event)
    else:
        follows = None
    if follows is None:
        raise IllegalMove(state, event)
    return follows
