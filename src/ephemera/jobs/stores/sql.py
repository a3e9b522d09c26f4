"""The store in an SQL database: SQLite by default, one file for every process of a computer."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import (
    Connection,
    Executable,
    RowMapping,
    Select,
    delete,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from ephemera.errors import ConfigError, StoreError
from ephemera.jobs.outcome import Cause, Outcome, Report
from ephemera.jobs.records import AttemptRecord, Identity, JobRecord, SupervisorLease
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
from ephemera.jobs.stores import codec, migrate
from ephemera.jobs.stores.engine import READS_ONLY, open_engine
from ephemera.jobs.stores.forgetting import forget
from ephemera.jobs.stores.forking import gate
from ephemera.jobs.stores.moving import move_job, write_attempt
from ephemera.jobs.stores.schema import attempts, identities, jobs, leases, log_lines
from ephemera.migrating import be_alone
from ephemera.wire.ids import new_ulid
from ephemera.wire.models import LogEntry

#: The supervisor's lease is one row.
_LEASE_ID = 1


class SqlStore:
    """Keeps everything in one database, shared by any number of processes.

    Args:
        url: An SQLAlchemy URL, such as `sqlite:////var/lib/app/jobs.db`.

    Raises:
        ConfigError: not a URL, the database cannot be opened, or a newer version wrote it.
    """

    def __init__(self, url: str) -> None:
        self._engine = open_engine(url)
        self._reader = self._engine.execution_options(**READS_ONLY)
        try:
            with gate.passed():
                migrate.upgrade(self._engine)
            self._identity = self._read_or_draw_identity()
        except StoreError as error:
            raise ConfigError(
                error.message,
                hint="set EPHEMERA_STORE to a job store: a file in a folder that can be written to,"
                " or a database that answers",
            ) from error

    def close(self) -> None:
        """Close every connection."""
        with gate.passed():
            self._engine.dispose()

    def forget_connections(self) -> None:
        """Drop connections that belong to the parent process, without closing them there."""
        self._engine.dispose(close=False)

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with gate.passed(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with gate.passed(), self._reader.connect() as connection:
            yield connection

    def identity(self) -> Identity:
        """Return what was drawn when the store was made."""
        return self._identity

    def _read_or_draw_identity(self) -> Identity:
        with self._writing() as connection:
            be_alone(connection)  # two that come at once would draw two
            row = connection.execute(select(identities)).first()
            if row is None:
                drawn = Identity(new_ulid(), secrets.token_bytes(32))
                connection.execute(insert(identities), {"id": drawn.id, "secret": drawn.secret})
                return drawn
            return Identity(row.id, row.secret)

    # jobs

    def add_job(self, job: JobRecord) -> None:
        """Write down a new job."""
        with self._writing() as connection:
            connection.execute(insert(jobs), codec.job_row(job))

    def job(self, job_id: str) -> JobRecord | None:
        """Return a job, or None."""
        found = self._read(select(jobs).where(jobs.c.id == job_id))
        return codec.read_job(found[0]) if found else None

    def jobs(self, *, state: JobState | None = None, limit: int = 50) -> list[JobRecord]:
        """Return jobs, newest first."""
        query = select(jobs).order_by(jobs.c.id.desc()).limit(limit)
        if state is not None:
            query = query.where(jobs.c.state == state)
        return [codec.read_job(row) for row in self._read(query)]

    def queued(self, *, limit: int) -> list[JobRecord]:
        """Return the jobs that wait for a machine, oldest first."""
        waiting = select(jobs).where(jobs.c.state == JobState.QUEUED)
        query = waiting.order_by(jobs.c.id).limit(limit)
        return [codec.read_job(row) for row in self._read(query)]

    def claim(self, job: JobRecord, attempt: AttemptRecord) -> None:
        """Move a queued job to running and write down its attempt."""
        with self._writing() as connection:
            move_job(connection, job, JobEvent.CLAIM, attempts=attempt.number)
            connection.execute(insert(attempts), codec.attempt_row(attempt))

    def cancel(self, job_id: str, *, at: float) -> JobState | None:
        """Ask for the end of a job; see the protocol."""
        with self._writing() as connection:
            found = connection.execute(_held(job_id)).mappings().first()
            if found is None:
                return None
            job = codec.read_job(found)
            if job.state is JobState.QUEUED:
                outcome = Outcome(Cause.CANCELLED, "cancelled before it had a machine")
                fields = {"cancel_requested_at": at, "ended_at": at, "outcome": outcome}
                move_job(connection, job, JobEvent.CANCEL, **fields)
            elif job.state is JobState.RUNNING and job.cancel_requested_at is None:
                this = update(jobs).where(jobs.c.id == job_id)
                connection.execute(this.values(cancel_requested_at=at))
            return job.state

    def retry(self, job: JobRecord) -> None:
        """Queue an ended job again."""
        with self._writing() as connection:
            move_job(
                connection,
                job,
                JobEvent.RETRY,
                cancel_requested_at=None,
                ended_at=None,
                outcome=None,
            )

    def forget(self, ended_before: float, *, limit: int) -> int:
        """Forget jobs that ended long ago; see the protocol."""
        with self._writing() as connection:
            return forget(connection, ended_before, limit)

    # attempts

    def attempt(self, attempt_id: str) -> AttemptRecord | None:
        """Return an attempt, or None."""
        found = self._read(select(attempts).where(attempts.c.id == attempt_id))
        return codec.read_attempt(found[0]) if found else None

    def attempts(self, job_id: str) -> list[AttemptRecord]:
        """Return the attempts of a job, oldest first."""
        of_job = select(attempts).where(attempts.c.job_id == job_id)
        return [codec.read_attempt(row) for row in self._read(of_job.order_by(attempts.c.number))]

    def under_way(self) -> list[str]:
        """Return the ids of the attempts that a supervisor has something to do for."""
        query = select(attempts.c.id).where(attempts.c.stage.in_(UNDER_WAY))
        return [row["id"] for row in self._read(query.order_by(attempts.c.id))]

    def cancelling(self) -> list[str]:
        """Return the attempts of cancelled jobs that nobody has taken notice of."""
        query = (
            select(attempts.c.id)
            .join(jobs, jobs.c.id == attempts.c.job_id)
            .where(attempts.c.stage.in_(UNDECIDED), attempts.c.asked.is_(None))
            .where(jobs.c.cancel_requested_at.is_not(None))
            .order_by(attempts.c.id)
        )
        return [row["id"] for row in self._read(query)]

    def in_stage(self, stage: Stage) -> list[AttemptRecord]:
        """Return the attempts in a stage, newest first."""
        query = select(attempts).where(attempts.c.stage == stage)
        return [codec.read_attempt(row) for row in self._read(query.order_by(attempts.c.id.desc()))]

    def move(self, attempt: AttemptRecord, event: StageEvent, **changes: Any) -> AttemptRecord:
        """Write an attempt's next stage."""
        with self._writing() as connection:
            return write_attempt(connection, attempt, after(attempt.stage, event), changes)

    def note(self, attempt: AttemptRecord, **changes: Any) -> AttemptRecord:
        """Write changes to an attempt's fields."""
        with self._writing() as connection:
            return write_attempt(connection, attempt, attempt.stage, changes)

    def finish(self, attempt: AttemptRecord, outcome: Outcome, *, at: float) -> AttemptRecord:
        """Write the outcome to the attempt and to its job."""
        ended: dict[str, Any] = {"outcome": outcome, "ended_at": at}
        stage = after(attempt.stage, StageEvent.DECIDED)
        with self._writing() as connection:
            fresh = write_attempt(connection, attempt, stage, ended)
            found = connection.execute(_held(attempt.job_id)).mappings().one()
            job = codec.read_job(found)
            move_job(connection, job, JobEvent.END, **ended)
            return fresh

    def note_report(self, attempt_id: str, report: Report | None, *, at: float) -> bool:
        """Keep a report, or that the runner lives."""
        this = (attempts.c.id == attempt_id) & attempts.c.stage.in_(UNDECIDED)
        with self._writing() as connection:
            spoke = connection.execute(update(attempts).where(this).values(spoke_at=at))
            if report is not None:
                first = update(attempts).where(this, attempts.c.report.is_(None))
                connection.execute(first.values(**codec.column_values({"report": report})))
            return spoke.rowcount == 1

    # logs

    def save_logs(self, attempt_id: str, lines: Sequence[LogEntry]) -> None:
        """Replace the kept log of an attempt."""
        rows = [
            {"attempt_id": attempt_id, "number": number, "entry": line.model_dump()}
            for number, line in enumerate(lines[-LOG_LINES_KEPT:])
        ]
        with self._writing() as connection:
            connection.execute(delete(log_lines).where(log_lines.c.attempt_id == attempt_id))
            if rows:
                connection.execute(insert(log_lines), rows)

    def logs(self, attempt_id: str) -> list[LogEntry]:
        """Return the kept log of an attempt."""
        of_attempt = select(log_lines).where(log_lines.c.attempt_id == attempt_id)
        rows = self._read(of_attempt.order_by(log_lines.c.number))
        return [LogEntry.model_validate(row["entry"]) for row in rows]

    # the lease

    def hold_lease(self, holder: str, url: str, *, now: float, ttl: float) -> bool:
        """Take or renew the supervisor's lease."""
        free = or_(leases.c.holder == holder, leases.c.expires_at <= now)
        fields = {"holder": holder, "url": url, "expires_at": now + ttl}
        renewed = update(leases).where(leases.c.id == _LEASE_ID, free).values(**fields)
        with self._writing() as connection:
            if connection.execute(renewed).rowcount == 1:
                return True
        return self._first_lease(fields)

    def _first_lease(self, fields: dict[str, Any]) -> bool:
        try:
            with self._writing() as connection:
                connection.execute(insert(leases), {"id": _LEASE_ID, **fields})
        except IntegrityError:
            return False  # there is one, and it is another holder's
        return True

    def release_lease(self, holder: str) -> None:
        """End the lease where it is this holder's."""
        with self._writing() as connection:
            ours = update(leases).where(leases.c.holder == holder)
            connection.execute(ours.values(expires_at=0.0))

    def lease(self) -> SupervisorLease | None:
        """Return the newest lease."""
        found = self._read(select(leases.c.holder, leases.c.url, leases.c.expires_at))
        return SupervisorLease(**found[0]) if found else None

    def _read(self, query: Executable) -> Sequence[RowMapping]:
        with self._reading() as connection:
            return connection.execute(query).mappings().all()


def _held(job_id: str) -> Select[Any]:
    """Return the query for a job that nobody else moves until the transaction ends.

    With SQLite that is so of all jobs, and this asks for nothing more.
    """
    return select(jobs).where(jobs.c.id == job_id).with_for_update()
