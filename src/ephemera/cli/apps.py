"""`ephemera apps`: the names that machines belong to."""

from __future__ import annotations

from typing import Annotated

import typer

from ephemera.cli.options import Json
from ephemera.cli.screen import say, say_json, say_table

group = typer.Typer(no_args_is_help=True, help="Apps: the names that machines belong to.")

Name = Annotated[str, typer.Argument(help="The app's name.")]


@group.command("list")
def list_(as_json: Json = False) -> None:
    """List the apps."""
    from ephemera.client import Client

    with Client() as client:
        apps = client.apps.list().apps
    if as_json:
        say_json([app.model_dump(mode="json") for app in apps])
    else:
        say_table(
            ("NAME", "MACHINES", "NETWORK"),
            [(app.name, str(app.machine_count), app.network or "") for app in apps],
        )


@group.command()
def create(name: Name) -> None:
    """Create an app."""
    from ephemera.client import Client

    with Client() as client:
        client.apps.create(name)
    say(f"created app {name}")


@group.command()
def destroy(
    name: Name,
    force: Annotated[
        bool, typer.Option("--force", help="Also if some of its machines are running.")
    ] = False,
) -> None:
    """Destroy an app with its machines."""
    from ephemera.client import Client

    with Client() as client:
        client.apps.delete(name, force=force)
    say(f"destroyed app {name}")
