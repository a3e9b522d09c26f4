"""Records to rows and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import RowMapping

from ephemera.jobs.outcome import Asked, Ending, Outcome, Report
from ephemera.jobs.records import AttemptRecord, HostPlace, JobRecord, TaskRef, Work
from ephemera.jobs.states import JobState, Stage


def job_row(job: JobRecord) -> dict[str, Any]:
    """Return a job as the values of its row."""
    return asdict(job)


def attempt_row(attempt: AttemptRecord) -> dict[str, Any]:
    """Return an attempt as the values of its row."""
    return asdict(attempt)


def column_values(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return changed fields of a record as values of columns."""
    return {
        name: asdict(value) if isinstance(value, Outcome | Ending | Report) else value
        for name, value in changes.items()
    }


def read_job(row: RowMapping) -> JobRecord:
    """Return the job that a row holds."""
    return JobRecord(
        **{
            **_values(row),
            "state": JobState(row["state"]),
            "work": _read_work(row["work"]),
            "outcome": Outcome.from_json(row["outcome"]) if row["outcome"] else None,
        }
    )


def read_attempt(row: RowMapping) -> AttemptRecord:
    """Return the attempt that a row holds."""
    return AttemptRecord(
        **{
            **_values(row),
            "stage": Stage(row["stage"]),
            "asked": Asked(row["asked"]) if row["asked"] else None,
            "ending": Ending(**row["ending"]) if row["ending"] else None,
            "outcome": Outcome.from_json(row["outcome"]) if row["outcome"] else None,
            "report": Report(**row["report"]) if row["report"] else None,
        }
    )


def _values(row: RowMapping) -> dict[str, Any]:
    return {str(name): value for name, value in row.items()}


def _read_work(stored: Mapping[str, Any]) -> Work:
    task, host = stored["task"], stored["host"]
    return Work(
        **{
            **stored,
            "command": tuple(stored["command"]),
            "args": tuple(stored["args"]),
            "task": TaskRef(**task) if task else None,
            "host": HostPlace(**{**host, "path": tuple(host["path"])}) if host else None,
        }
    )
