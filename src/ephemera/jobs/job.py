"""A job as its caller sees it: enqueue, wait, look, cancel, retry.

A `Job` is a view of a row. Any process with the same store can have one of the same job.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from ephemera.errors import ConfigError
from ephemera.jobs.arguments import check_arguments
from ephemera.jobs.failures import failure
from ephemera.jobs.logtail import LogTail
from ephemera.jobs.options import Options
from ephemera.jobs.outcome import Outcome
from ephemera.jobs.records import AttemptRecord, JobRecord, TaskRef, Work
from ephemera.jobs.runtime import runtime
from ephemera.jobs.states import JobState
from ephemera.jobs.work import place
from ephemera.wire.ids import new_ulid
from ephemera.wire.models import LogEntry

#: Between two looks into the store for a job that ends elsewhere: the first, and the longest.
_LOOK_S = 0.02
_LOOK_MAX_S = 0.5
_LOG_TAIL_LINES = 20


class Job:
    """One enqueued call of a task, or one run of a command."""

    def __init__(self, record: JobRecord) -> None:
        self._record = record

    @classmethod
    def get(cls, job_id: str) -> Job:
        """Return a job that was enqueued by any process with the same store.

        Raises:
            LookupError: there is no such job in the store.
        """
        return cls(_record(job_id))

    @classmethod
    def list(cls, state: str | None = None, limit: int = 50) -> list[Job]:
        """Return jobs, newest first.

        Args:
            state: `queued`, `running` or `ended`; None for all.

        Raises:
            ConfigError: there is no such state.
        """
        try:
            wanted = None if state is None else JobState(state)
        except ValueError as error:
            raise ConfigError(
                f"{state!r} is not a state of a job", hint="queued, running or ended"
            ) from error
        return [cls(record) for record in runtime.store().jobs(state=wanted, limit=limit)]

    def __repr__(self) -> str:
        return f"<Job {self.id} {self.name} {self.state}>"

    @property
    def id(self) -> str:
        """Its identifier: 26 characters, sorted by time."""
        return self._record.id

    @property
    def name(self) -> str:
        """The task's reference, or the command's program."""
        return self._record.work.name

    @property
    def state(self) -> JobState:
        """Where it was when it was last read; see `refresh`."""
        return self._record.state

    @property
    def outcome(self) -> Outcome | None:
        """How it ended; None while it has not, as far as was last read."""
        return self._record.outcome

    @property
    def created_at(self) -> datetime:
        """When it was enqueued, UTC."""
        return datetime.fromtimestamp(self._record.created_at, UTC)

    @property
    def ended_at(self) -> datetime | None:
        """When its outcome was written, UTC; None while there is none."""
        ended_at = self._record.ended_at
        return None if ended_at is None else datetime.fromtimestamp(ended_at, UTC)

    @property
    def machine_id(self) -> str:
        """The machine of its newest attempt; empty while there is none."""
        attempts = self.attempts()
        return attempts[-1].machine_id if attempts else ""

    def attempts(self) -> Sequence[AttemptRecord]:
        """Return its attempts as they are now, oldest first."""
        return runtime.store().attempts(self.id)

    def refresh(self) -> Job:
        """Read the job again, and return it."""
        self._record = _record(self.id)
        return self

    def wait(self, timeout: float | None = None) -> Outcome:
        """Return the outcome as soon as there is one.

        Args:
            timeout: Seconds; None to wait for as long as the job takes.

        Raises:
            TimeoutError: the time is over and the job is not. Nothing happened to it, and
                waiting again is safe.
            ConfigError: this process should give it a machine, and its settings lead to no API.
                The job stays queued for another supervisor, up to its `start_timeout`.
        """
        runtime.supervise()
        ended = threading.Event()
        with runtime.endings.watching(self.id, ended.set):
            for pause in _looks(timeout):
                outcome = self.refresh().outcome
                if outcome is not None:
                    return outcome
                runtime.check()
                ended.wait(pause)
        raise self._not_over(timeout)

    async def async_wait(self, timeout: float | None = None) -> Outcome:
        """Do what `wait` does without holding up the event loop."""
        runtime.supervise()
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        with runtime.endings.watching(self.id, lambda: loop.call_soon_threadsafe(ended.set)):
            for pause in _looks(timeout):
                outcome = self.refresh().outcome
                if outcome is not None:
                    return outcome
                runtime.check()
                try:
                    await asyncio.wait_for(ended.wait(), pause)
                except TimeoutError:
                    continue
        raise self._not_over(timeout)

    def result(self, timeout: float | None = None) -> Any:
        """Return what the task returned, as JSON brought it; None for a command.

        Raises:
            JobFailed, JobTimedOut, JobCancelled, OutOfMemory, MachineLost: it did not succeed.
            TimeoutError: the time is over and the job is not.
            ConfigError: as for `wait`.
        """
        return self._value(self.wait(timeout))

    async def async_result(self, timeout: float | None = None) -> Any:
        """Do what `result` does without holding up the event loop."""
        return self._value(await self.async_wait(timeout))

    def logs(self) -> Sequence[LogEntry]:
        """Return the log of its newest attempt's machine, oldest line first.

        It is in the store soon after the end of the machine, and read from the machine before.

        Raises:
            EphemeraError: the machine still runs and the API cannot be asked.
        """
        attempts = self.attempts()
        if not attempts or not attempts[-1].machine_id:
            return []
        newest = attempts[-1]
        return runtime.store().logs(newest.id) or _live_log(newest)

    def cancel(self) -> bool:
        """End the job; return whether there was still something to end.

        A queued job ends at once. The machine of a running one is stopped: its program gets
        SIGTERM and 10 seconds, and the job ends as cancelled unless it succeeded before.
        """
        was = runtime.store().cancel(self.id, at=time.time())
        if was is JobState.RUNNING:
            runtime.wake()
        self.refresh()
        return was is not JobState.ENDED

    def retry(self) -> Job:
        """Queue the ended job again, for another attempt on a new machine, and return it.

        Raises:
            IllegalMove: it has not ended.
            Stale: somebody else was first.
        """
        runtime.store().retry(self.refresh()._record)  # noqa: SLF001 - it is our own
        runtime.wake()
        return self.refresh()

    def _value(self, outcome: Outcome) -> Any:
        if outcome.ok:
            return outcome.value
        attempts = self.attempts()
        lines = runtime.store().logs(attempts[-1].id) if attempts else ()
        tail = tuple(line.message for line in lines[-_LOG_TAIL_LINES:])
        machine_id = attempts[-1].machine_id if attempts else ""
        raise failure(outcome, job_id=self.id, machine_id=machine_id, log_tail=tail)

    def _not_over(self, timeout: float | None) -> TimeoutError:
        return TimeoutError(f"job {self.id} is still {self.state} after {timeout} s")


def enqueue_task(
    function: Callable[..., Any],
    reference: tuple[str, str, str],
    options: Options,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
) -> Job:
    """Store a job that calls a task; see `Task.enqueue`."""
    check_arguments(function, args, kwargs)
    work = place(runtime.settings(), options)
    return _enqueue(replace(work, task=TaskRef(*reference), args=tuple(args), kwargs=dict(kwargs)))


def enqueue_command(argv: tuple[str, ...], options: Options) -> Job:
    """Store a job that runs a command; see `Command.enqueue`."""
    return _enqueue(replace(place(runtime.settings(), options), command=argv))


def _enqueue(work: Work) -> Job:
    _refuse_while_importing()
    record = JobRecord(id=new_ulid(), work=work, created_at=time.time())
    runtime.store().add_job(record)
    runtime.wake()
    return Job(record)


def _refuse_while_importing() -> None:
    """Do not let a machine make machines because of what a module does when it is imported."""
    if getattr(sys.modules["__main__"], "importing_task", False):
        raise ConfigError(
            "a job was enqueued by a module that is being imported to run a task",
            hint='enqueue in a function, or under `if __name__ == "__main__":`',
        )


def _record(job_id: str) -> JobRecord:
    record = runtime.store().job(job_id)
    if record is None:
        raise LookupError(f"there is no job {job_id!r} in the store")
    return record


def _looks(timeout: float | None) -> Iterator[float]:
    """Yield how long to wait for the next look; the last look is at the end of the time."""
    end = None if timeout is None else time.monotonic() + timeout
    pause = _LOOK_S
    while True:
        left = pause if end is None else end - time.monotonic()
        yield max(0.0, min(pause, left))
        if left <= 0:
            return
        pause = min(pause * 1.5, _LOOK_MAX_S)


def _live_log(attempt: AttemptRecord) -> Sequence[LogEntry]:
    from ephemera.client import Client

    tail = LogTail()
    with Client() as client:
        while not tail.complete:
            tail.add(
                client.logs.page(
                    attempt.app, next_token=tail.next_token, machine=attempt.machine_id
                )
            )
    return tail.lines
