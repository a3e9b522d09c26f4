"""`ephemera ssh console`: being inside a machine of an app that runs."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from ephemera.cli import completing
from ephemera.cli.choosing import needed_app
from ephemera.cli.locating import app_of
from ephemera.cli.options import App, ConfigFile
from ephemera.cli.screen import note
from ephemera.errors import ConfigError, WrongState

#: Seconds: the most that the API allows, and after which Fly.io cuts a command off. With a terminal
#: there is no limit.
_WITHOUT_TERMINAL_MAX_S, _ON_FLY_MAX_S = 60, 30

group = typer.Typer(no_args_is_help=True, help="A shell or a command in a running machine.")


@group.callback()
def _group() -> None:
    """Keep `console` a command of its own although it is the only one of its group."""


@group.command()
def console(
    app: App = None,
    config: ConfigFile = None,
    machine: Annotated[
        str | None,
        typer.Option(
            "--machine",
            "-m",
            metavar="ID",
            help="In this machine; else in the newest one that runs.",
            autocompletion=completing.machines,
        ),
    ] = None,
    command: Annotated[
        str | None,
        typer.Option("--command", "-C", metavar="COMMAND", help="Run this instead of a shell."),
    ] = None,
) -> None:
    """Open a shell in a machine of an app that runs, or run a command there: `-C "ls -l"`.

    The words of a command are taken as a shell would, but there is none: for pipes and the like
    `-C "sh -c '...'"`. The exit status is that of the command. Where the platform has no terminals
    a command has a minute at most, on Fly.io 30 seconds, and shows what it printed at its end.
    """
    from ephemera.cli.seat import check_taken
    from ephemera.cli.sitting import check_terminals

    words = _words(command)
    if not words:
        check_taken('run a command: ephemera ssh console -C "ls -l"')
        check_terminals()
    found, target = _target(app, config, machine)
    raise typer.Exit(_sit_or_run(found, target, words))


def _words(command: str | None) -> list[str]:
    try:
        return shlex.split(command or "")
    except ValueError as error:
        raise ConfigError(f"the command {command!r} is not complete: {error}") from None


def _target(app: str | None, config: Path | None, machine: str | None) -> tuple[str, str]:
    if machine is not None:
        return app_of(machine, app, config), machine
    named = needed_app(app, config)
    found = _newest(named)
    note(f"in machine {found}")
    return named, found


def _newest(app: str) -> str:
    """Return the newest machine that runs; one of a job only where there is no other."""
    from ephemera.client import Client
    from ephemera.deploy.release import labels

    with Client() as client:
        machines = client.machines.list(app)
    running = [one for one in machines if one.state == "started"]
    if not running:
        raise ConfigError(
            f"no machine of app {app} runs",
            hint="`ephemera machine start ID` starts one; `ephemera console` makes one for this",
        )
    return max(labels.managed(running) or running, key=lambda one: one.created_at).id


def _sit_or_run(app: str, machine: str, words: list[str]) -> int:
    """Return the exit status of a shell, or of a command, at a terminal or else without one."""
    from ephemera.cli.consoles import execute
    from ephemera.cli.sitting import sit_in

    try:
        limit_s = _without_terminal_s(app, machine) if words else None
        if limit_s is not None:
            execute(app, machine, words, timeout=limit_s)
        return sit_in(app, machine, words or None)
    except WrongState as error:
        error.hint = f"`ephemera machine start {machine}` starts it"
        raise


def _without_terminal_s(app: str, machine: str) -> int | None:
    """Return how many seconds a command may take that gets no terminal; None where it gets one."""
    from ephemera.client.own.machines import OwnMachines

    with OwnMachines() as own:
        if own.fly:
            return _ON_FLY_MAX_S
        return None if own.remains(app, machine).terminal else _WITHOUT_TERMINAL_MAX_S
