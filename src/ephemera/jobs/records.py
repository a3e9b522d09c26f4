"""The rows of the job layer, as values: what a store keeps and everybody else reads.

All times are seconds since 1970, UTC.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ephemera.jobs.outcome import Asked, Ending, Outcome, Report
from ephemera.jobs.states import JobState, Stage
from ephemera.wire.ids import new_ulid


@dataclass(frozen=True, slots=True)
class TaskRef:
    """Where a runner finds a task."""

    #: What to import; the name a script is loaded under where `file` is given.
    module: str
    qualname: str
    #: The script, where the task was declared in a program's main file; else empty.
    file: str = ""

    def __str__(self) -> str:
        return f"{self.file or self.module}:{self.qualname}"


@dataclass(frozen=True, slots=True)
class HostPlace:
    """What image `host` needs to run a job as the process that enqueued it would have."""

    #: The Python interpreter.
    python: str
    #: `sys.path`.
    path: tuple[str, ...]
    #: The working directory.
    folder: str
    env: dict[str, str]


@dataclass(frozen=True, slots=True)
class Work:
    """What a job is to do and on what machine. Never changes once it is enqueued."""

    app: str
    image: str
    #: Exactly one of `task` and `command` is given.
    task: TaskRef | None = None
    command: tuple[str, ...] = ()
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict[str, Any])
    region: str = ""
    guest: dict[str, Any] = field(default_factory=dict[str, Any])
    env: dict[str, str] = field(default_factory=dict[str, str])
    #: `ID:/path` of the volume that its machine mounts; empty for none.
    volume: str = ""
    #: Seconds it may run, from the start of its machine.
    timeout_s: float = 3600.0
    #: Seconds from its claim until its machine must have started.
    start_timeout_s: float = 300.0
    #: None where the image is not `host`.
    host: HostPlace | None = None

    @property
    def name(self) -> str:
        """What people call it: the task's reference, or the command's program."""
        return str(self.task) if self.task else self.command[0]


@dataclass(frozen=True, slots=True)
class JobRecord:
    """One enqueued call."""

    id: str
    work: Work
    created_at: float
    state: JobState = JobState.QUEUED
    #: Counts the moves: a write that read an older one is refused.
    generation: int = 0
    #: How many attempts it has had; the newest has this number.
    attempts: int = 0
    cancel_requested_at: float | None = None
    ended_at: float | None = None
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One machine given to a job, written down before the machine is asked for."""

    id: str
    job_id: str
    number: int
    app: str
    machine_name: str
    #: Where the runner sends its reports; empty where they are pulled.
    report_url: str
    created_at: float
    stage: Stage = Stage.INTENDED
    #: Counts the moves: a write that read an older one is refused.
    generation: int = 0
    #: Empty until the API has told it.
    machine_id: str = ""
    #: When the machine's program was seen to have started.
    started_at: float | None = None
    #: When and why we decided to stop it; written before the API is asked.
    asked_at: float | None = None
    asked: Asked | None = None
    ending: Ending | None = None
    ended_at: float | None = None
    outcome: Outcome | None = None
    #: What the runner said; the last report is kept, the first one of its kind wins.
    spoke_at: float | None = None
    report: Report | None = None


def new_attempt(job: JobRecord, *, now: float) -> AttemptRecord:
    """Return the next attempt of a job, with a name for its machine and no place to report to."""
    id_ = new_ulid()
    return AttemptRecord(
        id=id_,
        job_id=job.id,
        number=job.attempts + 1,
        app=job.work.app,
        machine_name=f"job-{id_.lower()}",
        report_url="",
        created_at=now,
    )


@dataclass(frozen=True, slots=True)
class SupervisorLease:
    """Who is the active supervisor of a store, and where it can be poked."""

    holder: str
    #: Of its report listener; empty where it has none.
    url: str
    expires_at: float


@dataclass(frozen=True, slots=True)
class Identity:
    """What is drawn once for every store."""

    #: Marks the machines of this store, so that no other store's are touched.
    id: str
    #: What the tokens of its attempts are derived from.
    secret: bytes = field(repr=False)
