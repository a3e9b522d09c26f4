"""What a store is: the memory of the job layer, shared by every process that uses it.

Every move is one guarded write in one transaction: it names the generation that was read, and
where somebody was first it raises `Stale` and changes nothing. No store calls the network.
`ephemera.testing.check_store` is the contract.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from ephemera.jobs.outcome import Outcome, Report
from ephemera.jobs.records import (
    AttemptRecord,
    Identity,
    JobRecord,
    SupervisorLease,
)
from ephemera.jobs.states import JobState, Stage, StageEvent
from ephemera.wire.models import LogEntry

#: Of one attempt, the newest this many lines are kept: some MB at most.
LOG_LINES_KEPT = 10_000


class Store(Protocol):
    """Jobs, attempts, their logs, and the supervisor's lease. Safe to call from any thread."""

    def identity(self) -> Identity:
        """Return what was drawn when the store was made; the same for ever."""
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...

    def forget_connections(self) -> None:
        """Let go, in a forked child, of connections that the parent goes on using."""
        ...

    # jobs

    def add_job(self, job: JobRecord) -> None:
        """Write down a new job."""
        ...

    def job(self, job_id: str) -> JobRecord | None:
        """Return a job, or None for an id that is not in the store."""
        ...

    def jobs(self, *, state: JobState | None = None, limit: int = 50) -> list[JobRecord]:
        """Return jobs, newest first."""
        ...

    def queued(self, *, limit: int) -> list[JobRecord]:
        """Return the jobs that wait for a machine, oldest first."""
        ...

    def claim(self, job: JobRecord, attempt: AttemptRecord) -> None:
        """Move a queued job to running and write down its attempt, both or neither.

        Raises:
            Stale: it was claimed, or cancelled, by somebody else.
        """
        ...

    def cancel(self, job_id: str, *, at: float) -> JobState | None:
        """Ask for the end of a job and return the state it was in; None for an unknown id.

        A queued job ends at once, as cancelled. A running one is marked, and its supervisor
        stops the machine. An ended one is left alone. Repeating is safe.
        """
        ...

    def retry(self, job: JobRecord) -> None:
        """Queue an ended job again; its attempts so far keep their outcomes.

        Raises:
            IllegalMove: it has not ended.
            Stale: somebody else moved it first.
        """
        ...

    def forget(self, ended_before: float, *, limit: int) -> int:
        """Forget jobs that ended before a time, oldest first, and return how many.

        With their attempts and logs. Jobs of which a machine may still be there stay.

        Args:
            ended_before: Seconds since 1970.
            limit: How many at most, so that others need not wait long.
        """
        ...

    # attempts

    def attempt(self, attempt_id: str) -> AttemptRecord | None:
        """Return an attempt, or None for an id that is not in the store."""
        ...

    def attempts(self, job_id: str) -> list[AttemptRecord]:
        """Return the attempts of a job, oldest first."""
        ...

    def under_way(self) -> list[str]:
        """Return the ids of the attempts that a supervisor has something to do for."""
        ...

    def cancelling(self) -> list[str]:
        """Return the ids of undecided attempts of cancelled jobs that nobody has noticed.

        An attempt whose machine is being stopped already (`asked`) is none of them, whatever
        for: there is no news in its cancellation.
        """
        ...

    def in_stage(self, stage: Stage) -> list[AttemptRecord]:
        """Return the attempts in a stage, newest first."""
        ...

    def move(self, attempt: AttemptRecord, event: StageEvent, **changes: Any) -> AttemptRecord:
        """Write an attempt's next stage and `changes` to its fields; return what is stored.

        Raises:
            IllegalMove: the table has no such move.
            Stale: somebody else moved it first.
        """
        ...

    def note(self, attempt: AttemptRecord, **changes: Any) -> AttemptRecord:
        """Write `changes` to an attempt's fields without moving it; return what is stored.

        Raises:
            Stale: somebody else moved it first.
        """
        ...

    def finish(self, attempt: AttemptRecord, outcome: Outcome, *, at: float) -> AttemptRecord:
        """Write the outcome to the attempt and to its job, both or neither.

        Raises:
            IllegalMove: the attempt's end was not seen.
            Stale: somebody else moved it first, so the outcome was written before.
        """
        ...

    # what runners say

    def note_report(self, attempt_id: str, report: Report | None, *, at: float) -> bool:
        """Keep a report, or with None that the runner lives; False where it is too late.

        The first report stays: repeating one is safe.
        """
        ...

    # logs

    def save_logs(self, attempt_id: str, lines: Sequence[LogEntry]) -> None:
        """Replace the kept log of an attempt by the newest `LOG_LINES_KEPT` of `lines`."""
        ...

    def logs(self, attempt_id: str) -> list[LogEntry]:
        """Return the kept log of an attempt, oldest first."""
        ...

    # the lease

    def hold_lease(self, holder: str, url: str, *, now: float, ttl: float) -> bool:
        """Take or renew the supervisor's lease; False where another holder's is not over."""
        ...

    def release_lease(self, holder: str) -> None:
        """End the lease where it is this holder's. Its URL stays on record."""
        ...

    def lease(self) -> SupervisorLease | None:
        """Return the newest lease, expired or not; None before the first."""
        ...
