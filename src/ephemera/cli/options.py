"""Options that several commands have, so that they are the same everywhere.

A command about an app takes `app: App = None, config: ConfigFile = None` and has
`ephemera.cli.choosing` say which app that is.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from ephemera.cli import completing
from ephemera.wire.durations import parse_duration

_SECONDS = re.compile(r"[0-9]+\.[0-9]*|\.[0-9]+")


def parsed_duration(text: str) -> float:
    """Return the seconds that an option such as `24h`, `90s` or `1.5` names."""
    try:
        return parse_duration(float(text) if _SECONDS.fullmatch(text) else text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


App = Annotated[
    str | None,
    typer.Option(
        "--app",
        "-a",
        metavar="APP",
        help="The app's name; else FLY_APP_NAME, or what the fly.toml here says.",
        show_default=False,
        autocompletion=completing.apps,
    ),
]
#: Of commands that name a machine, so that the embedded platform knows its app.
AppOfMachine = Annotated[
    str | None,
    typer.Option(
        "--app",
        "-a",
        metavar="APP",
        help="The app's name; can be left out on the embedded platform.",
        show_default=False,
        autocompletion=completing.apps,
    ),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="The fly.toml that says which app it is.",
        show_default=False,
    ),
]
MachineId = Annotated[
    str,
    typer.Argument(metavar="MACHINE", help="The machine's id.", autocompletion=completing.machines),
]
VolumeId = Annotated[
    str,
    typer.Argument(metavar="VOLUME", help="The volume's id.", autocompletion=completing.volumes),
]
Json = Annotated[bool, typer.Option("--json", help="For programs to read.")]
NoTail = Annotated[
    bool, typer.Option("--no-tail", "-n", help="End after the lines that are there.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
