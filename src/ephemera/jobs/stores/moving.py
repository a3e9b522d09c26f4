"""Guarded writes: each names the generation that was read, and changes nothing if it is another."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, update

from ephemera.errors import Stale
from ephemera.jobs.records import AttemptRecord, JobRecord
from ephemera.jobs.states import JobEvent, Stage, after
from ephemera.jobs.stores import codec
from ephemera.jobs.stores.schema import attempts, jobs


def move_job(connection: Connection, job: JobRecord, event: JobEvent, **changes: Any) -> None:
    """Write a job's next state, and what changes with it.

    Raises:
        IllegalMove: there is no such move.
        Stale: somebody else moved it first; nothing was written.
    """
    state = after(job.state, event)
    read = (jobs.c.id == job.id) & (jobs.c.generation == job.generation)
    fields = codec.column_values(changes)
    move = update(jobs).where(read).values(state=state, generation=job.generation + 1, **fields)
    if connection.execute(move).rowcount == 0:
        raise Stale(f"job {job.id} was moved by somebody else")


def write_attempt(
    connection: Connection, attempt: AttemptRecord, stage: Stage, changes: dict[str, Any]
) -> AttemptRecord:
    """Write an attempt's stage, and what changes with it; return it as it is now.

    Raises:
        Stale: somebody else moved it first; nothing was written.
    """
    read = (attempts.c.id == attempt.id) & (attempts.c.generation == attempt.generation)
    fields = codec.column_values(changes)
    fresh = {"stage": stage, "generation": attempt.generation + 1, **fields}
    move = update(attempts).where(read).values(**fresh).returning(*attempts.c)
    row = connection.execute(move).mappings().first()
    if row is None:
        raise Stale(f"attempt {attempt.id} was moved by somebody else")
    return codec.read_attempt(row)
