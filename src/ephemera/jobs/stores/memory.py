"""A store in memory: for tests, and for programs whose jobs need not survive them."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ephemera.errors import Stale
from ephemera.jobs.outcome import Cause, Outcome, Report
from ephemera.jobs.records import (
    AttemptRecord,
    Identity,
    JobRecord,
    SupervisorLease,
)
from ephemera.jobs.states import (
    UNDECIDED,
    UNDER_WAY,
    JobEvent,
    JobState,
    Stage,
    StageEvent,
    after,
)
from ephemera.jobs.store import LOG_LINES_KEPT
from ephemera.wire.ids import new_ulid
from ephemera.wire.models import LogEntry


class MemoryStore:
    """Keeps everything in dictionaries, under one lock."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._identity = Identity(new_ulid(), secrets.token_bytes(32))
        self._jobs: dict[str, JobRecord] = {}
        self._attempts: dict[str, AttemptRecord] = {}
        self._logs: dict[str, list[LogEntry]] = {}
        self._lease: SupervisorLease | None = None

    def identity(self) -> Identity:
        """Return what was drawn when the store was made."""
        return self._identity

    def close(self) -> None:
        """Do nothing: there is nothing to let go of."""

    def forget_connections(self) -> None:
        """Let go of the lock: the child has its own copy, and nobody else who may be at it."""
        self._lock = threading.RLock()

    # jobs

    def add_job(self, job: JobRecord) -> None:
        """Keep a new job."""
        with self._lock:
            self._jobs[job.id] = job

    def job(self, job_id: str) -> JobRecord | None:
        """Return a job, or None."""
        return self._jobs.get(job_id)

    def jobs(self, *, state: JobState | None = None, limit: int = 50) -> list[JobRecord]:
        """Return jobs, newest first."""
        with self._lock:
            found = [job for job in self._jobs.values() if state in (None, job.state)]
        return sorted(found, key=lambda job: job.id, reverse=True)[:limit]

    def queued(self, *, limit: int) -> list[JobRecord]:
        """Return the jobs that wait for a machine, oldest first."""
        with self._lock:
            found = [job for job in self._jobs.values() if job.state is JobState.QUEUED]
        return sorted(found, key=lambda job: job.id)[:limit]

    def claim(self, job: JobRecord, attempt: AttemptRecord) -> None:
        """Move a queued job to running and keep its attempt."""
        with self._lock:
            self._move_job(job, JobEvent.CLAIM, attempts=attempt.number)
            self._attempts[attempt.id] = attempt

    def cancel(self, job_id: str, *, at: float) -> JobState | None:
        """Ask for the end of a job; see the protocol."""
        with self._lock:
            job = self._jobs.get(job_id)
            if job is None:
                return None
            if job.state is JobState.QUEUED:
                outcome = Outcome(Cause.CANCELLED, "cancelled before it had a machine")
                self._move_job(
                    job, JobEvent.CANCEL, cancel_requested_at=at, ended_at=at, outcome=outcome
                )
            elif job.state is JobState.RUNNING:
                asked_at = job.cancel_requested_at or at
                self._jobs[job_id] = replace(job, cancel_requested_at=asked_at)
            return job.state

    def retry(self, job: JobRecord) -> None:
        """Queue an ended job again."""
        with self._lock:
            self._move_job(
                job, JobEvent.RETRY, cancel_requested_at=None, ended_at=None, outcome=None
            )

    def _move_job(self, job: JobRecord, event: JobEvent, **changes: Any) -> None:
        state = after(job.state, event)
        stored = self._jobs[job.id]
        if stored.generation != job.generation:
            raise Stale(f"job {job.id} was moved by somebody else")
        self._jobs[job.id] = replace(stored, state=state, generation=job.generation + 1, **changes)

    def forget(self, ended_before: float, *, limit: int) -> int:
        """Forget jobs that ended long ago; see the protocol."""
        with self._lock:
            held = {one.job_id for one in self._attempts.values() if one.stage is not Stage.GONE}
            old = [
                job.id
                for job in self._jobs.values()
                if job.id not in held and job.ended_at is not None and job.ended_at < ended_before
            ]
            for job_id in sorted(old)[:limit]:
                for attempt in self.attempts(job_id):
                    del self._attempts[attempt.id]
                    self._logs.pop(attempt.id, None)
                del self._jobs[job_id]
            return len(old[:limit])

    # attempts

    def attempt(self, attempt_id: str) -> AttemptRecord | None:
        """Return an attempt, or None."""
        return self._attempts.get(attempt_id)

    def attempts(self, job_id: str) -> list[AttemptRecord]:
        """Return the attempts of a job, oldest first."""
        with self._lock:
            found = [one for one in self._attempts.values() if one.job_id == job_id]
        return sorted(found, key=lambda attempt: attempt.number)

    def under_way(self) -> list[str]:
        """Return the ids of the attempts that a supervisor has something to do for."""
        with self._lock:
            return sorted(one.id for one in self._attempts.values() if one.stage in UNDER_WAY)

    def cancelling(self) -> list[str]:
        """Return the attempts of cancelled jobs that nobody has taken notice of."""
        with self._lock:
            return sorted(
                one.id
                for one in self._attempts.values()
                if one.stage in UNDECIDED
                and one.asked is None
                and self._jobs[one.job_id].cancel_requested_at is not None
            )

    def in_stage(self, stage: Stage) -> list[AttemptRecord]:
        """Return the attempts in a stage, newest first."""
        with self._lock:
            found = [one for one in self._attempts.values() if one.stage is stage]
        return sorted(found, key=lambda attempt: attempt.id, reverse=True)

    def move(self, attempt: AttemptRecord, event: StageEvent, **changes: Any) -> AttemptRecord:
        """Keep an attempt's next stage."""
        return self._write(attempt, after(attempt.stage, event), changes)

    def note(self, attempt: AttemptRecord, **changes: Any) -> AttemptRecord:
        """Keep changes to an attempt's fields."""
        return self._write(attempt, attempt.stage, changes)

    def _write(
        self, attempt: AttemptRecord, stage: Stage, changes: dict[str, Any]
    ) -> AttemptRecord:
        with self._lock:
            stored = self._attempts[attempt.id]
            if stored.generation != attempt.generation:
                raise Stale(f"attempt {attempt.id} was moved by somebody else")
            fresh = replace(stored, stage=stage, generation=attempt.generation + 1, **changes)
            self._attempts[attempt.id] = fresh
            return fresh

    def finish(self, attempt: AttemptRecord, outcome: Outcome, *, at: float) -> AttemptRecord:
        """Keep the outcome of an attempt and of its job."""
        with self._lock:
            fresh = self.move(attempt, StageEvent.DECIDED, outcome=outcome, ended_at=at)
            job = self._jobs[attempt.job_id]
            self._move_job(job, JobEvent.END, outcome=outcome, ended_at=at)
            return fresh

    def note_report(self, attempt_id: str, report: Report | None, *, at: float) -> bool:
        """Keep a report, or that the runner lives."""
        with self._lock:
            stored = self._attempts.get(attempt_id)
            if stored is None or stored.stage not in UNDECIDED:
                return False
            self._attempts[attempt_id] = replace(
                stored, spoke_at=at, report=stored.report or report
            )
            return True

    # logs

    def save_logs(self, attempt_id: str, lines: Sequence[LogEntry]) -> None:
        """Replace the kept log of an attempt."""
        with self._lock:
            self._logs[attempt_id] = list(lines[-LOG_LINES_KEPT:])

    def logs(self, attempt_id: str) -> list[LogEntry]:
        """Return the kept log of an attempt."""
        with self._lock:
            return list(self._logs.get(attempt_id, ()))

    # the lease

    def hold_lease(self, holder: str, url: str, *, now: float, ttl: float) -> bool:
        """Take or renew the supervisor's lease."""
        with self._lock:
            held = self._lease
            if held is not None and held.holder != holder and held.expires_at > now:
                return False
            self._lease = SupervisorLease(holder, url, now + ttl)
            return True

    def release_lease(self, holder: str) -> None:
        """End the lease where it is this holder's."""
        with self._lock:
            if self._lease is not None and self._lease.holder == holder:
                self._lease = replace(self._lease, expires_at=0.0)

    def lease(self) -> SupervisorLease | None:
        """Return the newest lease."""
        return self._lease
