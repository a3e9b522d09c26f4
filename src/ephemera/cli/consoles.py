"""`ephemera machine exec`, `machine shell` and `console`: being inside a machine."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from ephemera.cli import completing
from ephemera.cli.choosing import usual_app
from ephemera.cli.locating import app_of
from ephemera.cli.options import App, AppOfMachine, ConfigFile, Json, MachineId
from ephemera.cli.screen import note, say_json
from ephemera.errors import ConfigError, NotFound, WaitTimeout, WrongState

if TYPE_CHECKING:
    from ephemera.cli.wishes import Wish
    from ephemera.wire.models import Machine

#: Where a machine has ended, and what it left may be there.
_AT_REST = ("stopped", "failed")

Command = Annotated[
    list[str] | None,
    typer.Argument(metavar="[COMMAND]...", help="What to run in the place of a shell."),
]

#: Of each of the two outputs, by the platform. What is not text is longer here than it was.
_KEPT_BYTES = 1_048_576


def exec(  # noqa: A001 - the API's verb, and the command's name
    machine: MachineId,
    command: Annotated[list[str], typer.Argument(help="The program and its arguments.")],
    app: AppOfMachine = None,
    config: ConfigFile = None,
    tty: Annotated[
        bool, typer.Option("--tty", "-t", help="With a terminal, at which you sit.")
    ] = False,
    interactive: Annotated[
        bool, typer.Option("--interactive", "-i", help="Have it read our standard input.")
    ] = False,
    timeout: Annotated[
        int, typer.Option(min=1, metavar="SECONDS", help="For how long, without a terminal.")
    ] = 30,
    as_json: Json = False,
) -> None:
    """Run a command in a running machine: `ephemera machine exec ID -- ls -l`.

    The exit status is that of the command.
    """
    from ephemera.cli.seat import check_taken
    from ephemera.cli.sitting import sit_in

    found = app_of(machine, app, config)
    try:
        if tty:
            if as_json:
                raise typer.BadParameter("--json does not go with --tty")
            check_taken("leave out --tty")
            raise typer.Exit(sit_in(found, machine, command))
        stdin = _input() if interactive else ""
        execute(found, machine, command, stdin, timeout, as_json=as_json)
    except WrongState as error:
        error.hint = f"`ephemera machine shell {machine}` looks into a machine that has ended"
        raise


def execute(
    app: str,
    machine: str,
    command: Sequence[str],
    stdin: str = "",
    timeout: int = 30,
    *,
    as_json: bool = False,
) -> NoReturn:
    """Run a command in a machine, without a terminal, and exit as it does.

    Args:
        timeout: Seconds that it may take.

    Raises:
        WaitTimeout: it took longer.
        WrongState: the machine does not run.
    """
    from ephemera.client import Client

    with Client() as client:
        try:
            result = client.machines.exec(app, machine, command, stdin=stdin, timeout=timeout)
        except WaitTimeout as error:
            if client.link.place.fly:
                error.hint = "Fly.io cuts a command off after 30 s; `fly ssh console -C` does not"
            raise
    if as_json:
        say_json(result.model_dump(mode="json"))
    else:
        print(result.stdout, end="", flush=True)
        print(result.stderr, end="", file=sys.stderr, flush=True)
        if any(len(one.encode()) >= _KEPT_BYTES for one in (result.stdout, result.stderr)):
            note(f"warning: of more than {_KEPT_BYTES:,} bytes of output the rest is dropped")
            note("hint: write it to a file; `ephemera machine export` brings files of a machine")
    raise typer.Exit(128 + result.exit_signal if result.exit_signal else result.exit_code)


def _input() -> str:
    """Return all of the standard input, which travels as text."""
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"the standard input is not text: {error}",
            hint="bring binary data in as a file of the config, a volume or from a URL",
        ) from error


def shell(
    machine: MachineId,
    command: Command = None,
    app: AppOfMachine = None,
    config: ConfigFile = None,
) -> None:
    """Open a shell in a machine. If it has ended: in a copy of its file system.

    The copy has the machine's environment, no network and no volumes, and is gone with the shell.
    With a command instead of a shell no terminal is needed: `ephemera machine shell ID -- ls -l`.
    """
    from ephemera.cli.seat import check_taken
    from ephemera.cli.sitting import check_terminals, sit_in

    if not command:
        check_taken(f"name a command: `ephemera machine shell {machine} -- ls -l`")
    check_terminals()
    found = app_of(machine, app, config)
    at_rest = _state(found, machine) in _AT_REST
    if at_rest and not command:
        note(f"machine {machine} has ended: this is a copy of its file system, gone when you leave")
    raise typer.Exit(sit_in(found, machine, command, look=at_rest))


def console(
    command: Command = None,
    app: App = None,
    config: ConfigFile = None,
    machine: Annotated[
        str | None,
        typer.Option(
            "--machine",
            "-m",
            metavar="ID",
            help="In this machine.",
            autocompletion=completing.machines,
        ),
    ] = None,
    image: Annotated[
        str | None,
        typer.Option(metavar="IMAGE", help="In a new machine of this image, for this only."),
    ] = None,
) -> None:
    """Open a shell in a running machine of an app; if none runs, in one made for this only.

    A machine that is made for it has the image and the variables of the app's newest machine, and
    is destroyed when you leave.
    """
    from ephemera.cli.seat import check_taken
    from ephemera.cli.sitting import check_terminals, sit_in
    from ephemera.cli.temporary import sit_in_temporary

    if not command:
        check_taken("run a command: `ephemera machine exec ID -- ls -l`")
    if machine is not None and image is not None:
        raise typer.BadParameter("--machine names a machine that is there, --image a new one")
    check_terminals()
    if machine is not None:
        raise typer.Exit(sit_in(app_of(machine, app, config), machine, command))
    app = usual_app(app, config)
    running, wish = _chosen(app) if image is None else (None, _wish(image, {}))
    if running is not None:
        raise typer.Exit(sit_in(app, running, command))
    raise typer.Exit(sit_in_temporary(app, wish, command))


def _chosen(app: str) -> tuple[str | None, Wish]:
    """Return the newest machine that runs; and what a new one would be like, if there is none."""
    from ephemera.client import Client

    with Client() as client:
        try:
            machines = client.machines.list(app)
        except NotFound:
            machines = []
    newest_first = sorted(machines, key=lambda one: one.created_at, reverse=True)
    running = [one for one in newest_first if one.state == "started"]
    if running:
        note(f"in machine {running[0].id}, {running[0].name}")
        return running[0].id, _wish("", {})
    return None, _like(newest_first[0]) if newest_first else _wish("host", {})


def _like(machine: Machine) -> Wish:
    config = machine.config
    return _wish((config and config.image) or "host", (config and config.env) or {})


def _wish(image: str, env: dict[str, str]) -> Wish:
    from ephemera.cli.wishes import Wish

    return Wish(image=image, env=env)


def _state(app: str, machine: str) -> str:
    from ephemera.client import Client

    with Client() as client:
        return client.machines.get(app, machine).state
