"""Jobs as `ephemera jobs` shows them, in columns and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ephemera.cli.screen import duration

if TYPE_CHECKING:
    from datetime import datetime

    from ephemera.jobs import Job
    from ephemera.jobs.records import AttemptRecord


def facts(job: Job) -> dict[str, Any]:
    """Return a job, for JSON."""
    return {
        "id": job.id,
        "name": job.name,
        "state": job.state,
        "created_at": when(job.created_at),
        "ended_at": when(job.ended_at) or None,
        "outcome": asdict(job.outcome) if job.outcome else None,
    }


def attempt(record: AttemptRecord) -> dict[str, Any]:
    """Return an attempt, for JSON."""
    return {
        "number": record.number,
        "stage": record.stage,
        "app": record.app,
        "machine_id": record.machine_id,
        "machine_name": record.machine_name,
        "outcome": asdict(record.outcome) if record.outcome else None,
    }


def cause(job: Job) -> str:
    """Return the one word for how a job ended; empty before."""
    return job.outcome.cause if job.outcome else ""


def took(job: Job) -> str:
    """Return how long a job took, from its call to its end; empty before."""
    return duration((job.ended_at - job.created_at).total_seconds()) if job.ended_at else ""


def when(moment: datetime | None) -> str:
    """Return a moment in UTC; empty for none."""
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z") if moment else ""
