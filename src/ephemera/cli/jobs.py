"""`ephemera jobs` and `ephemera supervise`: look at jobs, end them, and watch over them."""

from __future__ import annotations

import signal
import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from ephemera.cli import jobviews
from ephemera.cli.options import Json, parsed_duration
from ephemera.cli.screen import (
    colours,
    counted,
    log_to_stderr,
    note,
    say,
    say_json,
    say_record,
    say_table,
)
from ephemera.errors import EphemeraError

if TYPE_CHECKING:
    from ephemera.jobs import Job

group = typer.Typer(no_args_is_help=True, help="Jobs: look at them, end them, try them again.")

Id = Annotated[str, typer.Argument(metavar="JOB", help="The job's id.")]
Ids = Annotated[list[str], typer.Argument(metavar="JOB...", help="The ids of one job or more.")]

Keep = Annotated[
    int | None,
    typer.Option(min=0, metavar="N", help="Keep at most so many machines of jobs that failed."),
]
KeepFor = Annotated[
    float | None,
    typer.Option(
        parser=parsed_duration, metavar="DURATION", help="Keep them at most so long: `24h`."
    ),
]
Concurrency = Annotated[
    int | None,
    typer.Option(
        min=1, metavar="N", help="Give machines to at most so many jobs at once; else to all."
    ),
]


@group.callback()
def _group() -> None:
    """Look only: a command that is over in a moment must not become the supervisor."""
    from ephemera.jobs import configure

    configure(supervise=False)


@group.command("list")
def list_(
    state: Annotated[
        str | None, typer.Option(help="Only those `queued`, `running` or `ended`.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 50,
    as_json: Json = False,
) -> None:
    """List jobs, newest first."""
    from ephemera.jobs import Job

    jobs = Job.list(state, limit)
    if as_json:
        say_json([jobviews.facts(job) for job in jobs])
    else:
        say_table(
            ("ID", "STATE", "OUTCOME", "CREATED", "TOOK", "NAME"),
            [
                (
                    job.id,
                    job.state,
                    jobviews.cause(job),
                    jobviews.when(job.created_at),
                    jobviews.took(job),
                    job.name,
                )
                for job in jobs
            ],
        )
        if len(jobs) == limit:
            note(f"these are the newest {limit}: --limit shows more")


@group.command()
def show(job: Id, as_json: Json = False) -> None:
    """Show a job, how it ended, and the machines it was given."""
    found = _job(job)
    if as_json:
        say_json(
            {
                **jobviews.facts(found),
                "attempts": [jobviews.attempt(one) for one in found.attempts()],
            }
        )
        return
    outcome = found.outcome
    say_record(
        {
            "id": found.id,
            "name": found.name,
            "state": found.state,
            "outcome": str(outcome) if outcome else "",
            "created": jobviews.when(found.created_at),
            "ended": jobviews.when(found.ended_at),
            "took": jobviews.took(found),
        }
    )
    for attempt in found.attempts():
        machine = attempt.machine_id or attempt.machine_name
        ended = f", {attempt.outcome}" if attempt.outcome else ""
        where = f"machine {machine} of app {attempt.app}, {attempt.stage}"
        say(f"attempt {attempt.number}: {where}{ended}")
    if outcome and outcome.remote_traceback:
        say(outcome.remote_traceback.rstrip())


@group.command()
def logs(job: Id, as_json: Json = False) -> None:
    """Show the log of a job's newest machine, also if it is gone."""
    from ephemera.cli import loglines

    coloured = colours(sys.stdout)
    for entry in _job(job).logs():
        say(loglines.as_json(entry) if as_json else loglines.plain(entry, coloured=coloured))


#: The exit status where the time is over first, as that of `timeout`.
_TIME_IS_OVER = 124


@group.command()
def wait(
    job: Id,
    timeout: Annotated[
        float | None,
        typer.Option(parser=parsed_duration, metavar="DURATION", help="At most so long: `90s`."),
    ] = None,
) -> None:
    """Wait until a job has ended, and print how.

    The exit status is 0 if it succeeded, 1 if it did not, and 124 if the time was over first.
    """
    found = _job(job)
    if found.outcome is None:
        _note_if_unattended()
    try:
        outcome = found.wait(timeout)
    except TimeoutError as error:
        note(f"error: {error}")
        raise typer.Exit(_TIME_IS_OVER) from error
    say(str(outcome))
    if outcome.cause != "succeeded":
        raise typer.Exit(1)


@group.command()
def cancel(jobs: Ids) -> None:
    """End jobs: a queued one at once, a running one by stopping its machine."""
    under_way = False
    for found in [_job(job) for job in jobs]:
        if not found.cancel():
            say(f"job {found.id} has ended already")
        elif found.outcome:
            say(f"job {found.id} is cancelled")
        else:
            say(f"job {found.id} is being cancelled")
            under_way = True
    if under_way:
        _note_if_unattended()


@group.command()
def retry(jobs: Ids) -> None:
    """Give ended jobs another attempt, on a new machine each."""
    for found in [_job(job) for job in jobs]:
        if found.outcome is None:
            raise EphemeraError(
                f"job {found.id} is {found.state}, and only one that has ended can be tried again",
                hint="`ephemera jobs cancel` ends it",
            )
        found.retry()
        say(f"job {found.id} is queued again")
    _note_if_unattended()


@group.command()
def reap(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell.")] = False,
    keep: Keep = None,
    keep_for: KeepFor = None,
    as_json: Json = False,
) -> None:
    """Destroy machines kept of failed jobs beyond the limits, and machines that no job owns."""
    from ephemera.jobs import reap as reap_machines

    reaped = reap_machines(dry_run=dry_run, keep=keep, keep_for=keep_for)
    if as_json:
        say_json([asdict(one) for one in reaped])
        return
    for one in reaped:
        say(f"{one.machine_id} of app {one.app}: {one.why.replace('_', ' ')}")
    done = "would be destroyed" if dry_run else "destroyed"
    say(f"{counted(len(reaped), 'machine')} {done}")


@group.command()
def forget(
    older_than: Annotated[
        float,
        typer.Option(parser=parsed_duration, metavar="DURATION", help="Such as `720h`."),
    ],
) -> None:
    """Forget jobs that ended so long ago, with their results and logs.

    Those of which a machine is kept stay: `ephemera jobs reap` destroys it.
    """
    from ephemera.jobs import forget as forget_jobs

    say(f"{counted(forget_jobs(older_than), 'job')} forgotten")


def supervise(concurrency: Concurrency = None, keep: Keep = None, keep_for: KeepFor = None) -> None:
    """Give jobs their machines and watch them to the end, until it is stopped.

    Several may run at once, and beside the applications that enqueue: one is active, the others
    stand by. Jobs under way go on when it stops, and are found again by the next.
    """
    import asyncio

    from ephemera.jobs import configure

    log_to_stderr()
    configure(concurrency=concurrency, keep=keep, keep_for=keep_for)
    stopped_by = asyncio.run(_supervise())
    if stopped_by == signal.SIGINT:
        raise typer.Exit(128 + stopped_by)


async def _supervise() -> int:
    """Supervise until a signal says to stop, and return the signal."""
    import asyncio

    from ephemera.jobs import run_supervisor

    stop, told = asyncio.Event(), list[int]()

    def end(signum: int) -> None:
        told.append(signum)
        stop.set()

    for signum in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signum, end, signum)
    note("it watches over jobs until it is stopped")
    await run_supervisor(stop)
    return told[0] if told else 0


def _job(job_id: str) -> Job:
    from ephemera.jobs import Job

    try:
        return Job.get(job_id)
    except LookupError as error:
        raise EphemeraError(
            str(error),
            hint="`ephemera jobs list` lists them; an app in a container keeps its own:"
            " `ephemera ssh console -C 'ephemera jobs list'`",
        ) from None


def _note_if_unattended() -> None:
    from ephemera.jobs.runtime import runtime

    lease = runtime.store().lease()
    if lease is None or lease.expires_at < time.time():
        note("no supervisor is active: `ephemera supervise`, or the application, must run")
