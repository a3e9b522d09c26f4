"""Writes docs/reference/machine-states.md and job-states.md from the tables of the code.

    python scripts/generate_state_diagrams.py           write them
    python scripts/generate_state_diagrams.py --check   exit 1 if they are stale

A drawing made by hand would lack an edge sooner or later.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from ephemera.jobs.states import JOB_MOVES, STAGE_MOVES, JobEvent, JobState, Stage, StageEvent
from ephemera.platform.states import LIVE, MOVES, SETTLED, Event, State
from pages import meanings, settle, table

S = TypeVar("S", bound=StrEnum)
E = TypeVar("E", bound=StrEnum)
Moves = Mapping[S, Mapping[E, S]]

WRITTEN = "<!-- Written by scripts/generate_state_diagrams.py from {source}. Change that. -->\n"

MACHINES = f"""\
{WRITTEN.format(source="src/ephemera/platform/states.py")}
# The states of a machine

The names of the states are those of Fly's API. There is no other way from one to another than
the arrows: everything else is refused, or changes nothing. A state is written down when it was
seen, and is on disk before anybody is told of it.
"""

JOBS = f"""\
{WRITTEN.format(source="src/ephemera/jobs/states.py")}
# The states of a job, and the stages of its attempts

A [job](../glossary.md) tells those who wait how far it is. An attempt, one machine given to the
job, tells a supervisor which step is due next, whoever did the ones before; see
[how a job survives](../explanation/survival.md).
"""


def main() -> int:
    """Write or check both pages; return the exit status."""
    return settle("machine-states.md", machine_page()) | settle("job-states.md", job_page())


def machine_page() -> str:
    """Return the page about machines."""
    words = (
        f"The driver may have a live program in {_listed(LIVE, State)}. What `wait` calls "
        f"`settled` is {_listed(SETTLED, State)}.\n"
    )
    return "\n".join(
        [
            MACHINES,
            diagram(MOVES, State.CREATED),
            state_table(MOVES, State),
            words,
            "## Events\n",
            event_table(Event),
        ]
    )


def job_page() -> str:
    """Return the page about jobs and attempts."""
    return "\n".join(
        [
            JOBS,
            "## Jobs\n",
            diagram(JOB_MOVES, JobState.QUEUED),
            state_table(JOB_MOVES, JobState),
            event_table(JobEvent),
            "## Attempts\n",
            diagram(STAGE_MOVES, Stage.INTENDED),
            state_table(STAGE_MOVES, Stage),
            event_table(StageEvent),
        ]
    )


def diagram(moves: Moves[S, E], first: S) -> str:
    """Return a drawing of a table of moves, one arrow for each pair of states."""
    lines = [f"[*] --> {first}"]
    for state, row in moves.items():
        for target in dict.fromkeys(row.values()):
            events = ", ".join(event for event, leads_to in row.items() if leads_to == target)
            lines.append(f"{state} --> {target}: {events}")
        if not row:
            lines.append(f"{state} --> [*]")
    drawn = "".join(f"    {line}\n" for line in lines)
    return f"```mermaid\nstateDiagram-v2\n{drawn}```\n"


def state_table(moves: Moves[S, E], states: type[S]) -> str:
    """Return what each state means, and where each event leads from there."""
    means = meanings(states)
    rows = [
        (f"`{state}`", means[state], _leads(row) or "nothing moves it")
        for state, row in moves.items()
    ]
    return table((states.__name__.removeprefix("Job"), "Means", "Moves"), rows)


def event_table(events: type[StrEnum]) -> str:
    """Return what each event means."""
    rows = [(f"`{event}`", means) for event, means in meanings(events).items()]
    return table(("Event", "Means"), rows)


def _leads(row: Mapping[E, S]) -> str:
    return ", ".join(f"`{event}` → `{target}`" for event, target in row.items())


def _listed(chosen: frozenset[State], order: type[State]) -> str:
    return ", ".join(f"`{state}`" for state in order if state in chosen)


if __name__ == "__main__":
    sys.exit(main())
