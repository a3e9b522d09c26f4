"""Which exception a job's outcome is raised as."""

from __future__ import annotations

from ephemera.errors import (
    JobCancelled,
    JobError,
    JobFailed,
    JobTimedOut,
    MachineLost,
    OutOfMemory,
)
from ephemera.jobs.outcome import NOT_STARTED, Cause, Outcome

EXCEPTIONS: dict[Cause, type[JobError]] = {
    Cause.FAILED: JobFailed,
    Cause.RAISED: JobFailed,
    Cause.SIGNALLED: JobFailed,
    Cause.NO_REPORT: JobFailed,
    Cause.BOOT_FAILED: JobFailed,
    Cause.IMAGE_UNAVAILABLE: JobFailed,
    Cause.OOM_KILLED: OutOfMemory,
    Cause.TIMED_OUT: JobTimedOut,
    Cause.CANCELLED: JobCancelled,
    Cause.LOST: MachineLost,
    Cause.NO_CAPACITY: MachineLost,
}

_HINTS = {
    Cause.OOM_KILLED: "give it more memory: guest={'memory_mb': 1024}",
    Cause.TIMED_OUT: "give it more time: timeout=...",
    Cause.NO_CAPACITY: "try another region: region=...",
    Cause.LOST: "job.retry() gives it another machine",
}


def failure(
    outcome: Outcome, *, job_id: str, machine_id: str, log_tail: tuple[str, ...]
) -> JobError:
    """Return the exception for a job that did not succeed."""
    kind = EXCEPTIONS[outcome.cause]
    message, hint = f"job {job_id}: {outcome.message}", _hint(outcome)
    if kind is JobFailed:
        return JobFailed(
            message,
            job_id=job_id,
            machine_id=machine_id,
            cause=outcome.cause,
            log_tail=log_tail,
            hint=hint,
            exit_code=outcome.exit_code,
            remote_traceback=outcome.remote_traceback,
        )
    return kind(
        message,
        job_id=job_id,
        machine_id=machine_id,
        cause=outcome.cause,
        log_tail=log_tail,
        hint=hint,
    )


def _hint(outcome: Outcome) -> str:
    if outcome.message == NOT_STARTED:
        return "job.retry() gives it another machine; to wait longer for one: start_timeout=..."
    return _HINTS.get(outcome.cause, "")
