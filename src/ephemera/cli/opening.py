"""`ephemera open`: an app in the browser."""

from __future__ import annotations

from typing import Annotated

import typer

from ephemera.cli.choosing import needed_app
from ephemera.cli.options import App, ConfigFile, Json
from ephemera.cli.resolving import note_how_to_reach
from ephemera.cli.screen import note, say, say_json
from ephemera.errors import ConfigError


def open_(
    path: Annotated[
        str, typer.Argument(metavar="PATH", help="Such as `/admin`.", show_default=False)
    ] = "/",
    app: App = None,
    config: ConfigFile = None,
    only_print: Annotated[bool, typer.Option("--print", help="Only print the URL.")] = False,
    as_json: Json = False,
) -> None:
    """Open an app in the browser, and print its URL."""
    import webbrowser

    named = needed_app(app, config)
    url = f"{_url(named)}/{path.removeprefix('/')}"
    if as_json:
        say_json({"url": url})
    else:
        say(url)
        note_how_to_reach(url)
    if not (only_print or as_json) and not webbrowser.open(url):
        note("no browser was found to open it")


def _url(app: str) -> str:
    from ephemera.cli.urls import urls
    from ephemera.client import Client

    with Client() as client:
        found = urls(client, app, client.machines.list(app))
    if not found:
        raise ConfigError(
            f"app {app} has no URL: no machine of it has a service for the outside",
            hint="`ephemera deploy` makes machines with the services of its fly.toml",
        )
    return found[0]
