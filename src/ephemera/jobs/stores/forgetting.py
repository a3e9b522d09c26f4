"""Forgetting jobs in an SQL database, with all that is known of them."""

from __future__ import annotations

from sqlalchemy import Connection, delete, exists, select

from ephemera.jobs.states import JobState, Stage
from ephemera.jobs.stores.schema import attempts, jobs, log_lines


def forget(connection: Connection, ended_before: float, limit: int) -> int:
    """Forget jobs in the transaction of a connection; see `Store.forget`."""
    has_machine = exists().where(attempts.c.job_id == jobs.c.id, attempts.c.stage != Stage.GONE)
    query = (
        select(jobs.c.id)
        .where(jobs.c.state == JobState.ENDED, jobs.c.ended_at < ended_before, ~has_machine)
        .order_by(jobs.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)  # somebody may be about to try one again
    )
    ids = connection.execute(query).scalars().all()
    theirs = select(attempts.c.id).where(attempts.c.job_id.in_(ids))
    connection.execute(delete(log_lines).where(log_lines.c.attempt_id.in_(theirs)))
    connection.execute(delete(attempts).where(attempts.c.job_id.in_(ids)))
    connection.execute(delete(jobs).where(jobs.c.id.in_(ids)))
    return len(ids)
