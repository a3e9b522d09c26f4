"""`ephemera logs`: what an app's machines print, and what is done to them."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ephemera.cli import completing
from ephemera.cli.choosing import usual_app_there
from ephemera.cli.options import App, ConfigFile, Json, NoTail
from ephemera.cli.screen import colours, say


def logs(
    app: App = None,
    config: ConfigFile = None,
    machine: Annotated[
        str | None,
        typer.Option(
            "--machine",
            "-m",
            metavar="ID",
            help="Only of this machine.",
            autocompletion=completing.machines,
        ),
    ] = None,
    region: Annotated[
        str | None, typer.Option("--region", "-r", help="Only from this region.")
    ] = None,
    no_tail: NoTail = False,
    as_json: Json = False,
) -> None:
    """Show the log of an app, also of machines that are gone, and follow it."""
    from ephemera.cli import loglines
    from ephemera.client import Client

    coloured = colours(sys.stdout)
    with usual_app_there(app, config) as named, Client() as client:
        for entry in client.logs.follow(named, machine=machine, region=region, tail=not no_tail):
            say(loglines.as_json(entry) if as_json else loglines.plain(entry, coloured=coloured))
