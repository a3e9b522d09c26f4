"""`ephemera checks`: what the health checks of an app's machines say."""

from __future__ import annotations

import typer

from ephemera.cli.choosing import needed_app
from ephemera.cli.options import App, ConfigFile, Json
from ephemera.cli.screen import say_json, say_table

group = typer.Typer(no_args_is_help=True, help="Health checks of an app's machines.")


@group.callback()
def _group() -> None:
    """Keep `list` a command of its own although it is the only one of its group."""


@group.command("list")
def list_(app: App = None, config: ConfigFile = None, as_json: Json = False) -> None:
    """List the health checks of an app's machines, and what they found last."""
    from ephemera.client import Client

    with Client() as client:
        machines = client.machines.list(needed_app(app, config))
    found = [(machine, check) for machine in machines for check in machine.checks or ()]
    if as_json:
        say_json([{"machine_id": one.id, **check.model_dump(mode="json")} for one, check in found])
    else:
        say_table(
            ("NAME", "STATUS", "MACHINE", "UPDATED", "OUTPUT"),
            [
                (check.name, check.status, one.id, check.updated_at, _first_line(check.output))
                for one, check in found
            ],
        )


def _first_line(output: str) -> str:
    return next(iter(output.strip().splitlines()), "")
