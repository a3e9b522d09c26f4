"""The job layer: tasks, jobs, and the supervisor that watches them.

```
task, command ─► job ─► store ◄─ supervisor ─► attempts:
                                      ▲        making ─► watching ─► concluding ─► retention
                                      │           │
                                   reports ◄── runner, in the machine
```

The names below are what an application uses. They are imported when they are first used, so
that declaring a task costs a module next to nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False  # importing `typing` for it would take longer than all of this
if TYPE_CHECKING:
    from typing import Any

    from ephemera.jobs.forgetting import forget
    from ephemera.jobs.job import Job
    from ephemera.jobs.outcome import Cause, Outcome
    from ephemera.jobs.reaping import reap
    from ephemera.jobs.retention import Reaped
    from ephemera.jobs.runtime import configure, supervise
    from ephemera.jobs.serving import run_supervisor
    from ephemera.jobs.tasks import Command, Task, command, task
    from ephemera.jobs.webside import app_url

_HOMES = {
    "Cause": "outcome",
    "Command": "tasks",
    "Job": "job",
    "Outcome": "outcome",
    "Reaped": "retention",
    "Task": "tasks",
    "app_url": "webside",
    "command": "tasks",
    "configure": "runtime",
    "forget": "forgetting",
    "reap": "reaping",
    "run_supervisor": "serving",
    "supervise": "runtime",
    "task": "tasks",
}

__all__ = [
    "Cause",
    "Command",
    "Job",
    "Outcome",
    "Reaped",
    "Task",
    "app_url",
    "command",
    "configure",
    "forget",
    "reap",
    "run_supervisor",
    "supervise",
    "task",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(__import__(f"{__name__}.{_HOMES[name]}", fromlist=[name]), name)
