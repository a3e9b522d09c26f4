"""`ephemera machine`: single machines."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ephemera.cli.options import NO_APP_NAMED, App, Json
from ephemera.cli.screen import say, say_json, say_record, say_table

group = typer.Typer(no_args_is_help=True, help="Machines: look at them, stop and start them.")

Id = Annotated[str, typer.Argument(metavar="MACHINE", help="The machine's id.")]


@group.command("list")
def list_(
    app: App = NO_APP_NAMED,
    everything: Annotated[
        bool, typer.Option("--all", help="Also those that are destroyed.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List the machines of an app."""
    from ephemera.client import Client

    with Client() as client:
        machines = client.machines.list(app, include_deleted=everything)
    if as_json:
        say_json([machine.model_dump(mode="json", exclude_none=True) for machine in machines])
    else:
        say_table(
            ("ID", "STATE", "NAME", "REGION", "CREATED"),
            [(one.id, one.state, one.name, one.region, one.created_at) for one in machines],
        )


@group.command()
def show(machine: Id, app: App = NO_APP_NAMED, as_json: Json = False) -> None:
    """Show a machine, and what happened to it."""
    from ephemera.client import Client

    with Client() as client:
        found = client.machines.get(app, machine)
    if as_json:
        say_json(found.model_dump(mode="json", exclude_none=True))
        return
    ended = found.last_exit()
    image = found.config.image if found.config else None
    say_record(
        {
            "id": found.id,
            "name": found.name,
            "state": found.state,
            "region": found.region,
            "image": image or "",
            "created": found.created_at,
            "exit code": str(ended.exit_code) if ended else "",
            "events": ", ".join(event.type for event in found.events or ()),
        }
    )


@group.command()
def start(machine: Id, app: App = NO_APP_NAMED) -> None:
    """Start a stopped machine."""
    from ephemera.client import Client

    with Client() as client:
        client.machines.start(app, machine)
        client.machines.wait(app, machine, ("started", "stopped", "failed"))
        say(f"{machine} is {client.machines.get(app, machine).state}")


@group.command()
def stop(
    machine: Id,
    app: App = NO_APP_NAMED,
    timeout: Annotated[
        float | None,
        typer.Option(min=0, max=300, metavar="SECONDS", help="Kill it if it takes longer."),
    ] = None,
) -> None:
    """Stop a machine; returns when it has stopped."""
    from ephemera.client import Client

    with Client() as client:
        client.machines.stop(app, machine, timeout=timeout)
        client.machines.wait(app, machine, ("stopped", "destroyed"), timeout=330)
    say(f"{machine} is stopped")


@group.command()
def destroy(
    machine: Id,
    app: App = NO_APP_NAMED,
    force: Annotated[bool, typer.Option("--force", help="Also if it is running.")] = False,
) -> None:
    """Destroy a machine. Its log is kept."""
    from ephemera.client import Client

    with Client() as client:
        client.machines.destroy(app, machine, force=force)
    say(f"destroyed {machine}")


@group.command()
def exec(  # noqa: A001 - the API's verb, and the command's name
    machine: Id,
    command: Annotated[list[str], typer.Argument(help="The program and its arguments.")],
    app: App = NO_APP_NAMED,
    timeout: Annotated[int, typer.Option(min=1, metavar="SECONDS", help="For how long.")] = 30,
) -> None:
    """Run a command in a running machine: `ephemera machine exec ID -- ls -l`.

    The exit status is that of the command.
    """
    from ephemera.client import Client

    with Client() as client:
        result = client.machines.exec(app, machine, command, timeout=timeout)
    sys.stdout.write(result.stdout)
    sys.stdout.flush()
    sys.stderr.write(result.stderr)
    sys.stderr.flush()
    raise typer.Exit(128 + result.exit_signal if result.exit_signal else result.exit_code)
