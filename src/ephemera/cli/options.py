"""Options that several commands have, so that they are the same everywhere."""

from __future__ import annotations

from typing import Annotated

import typer

from ephemera.jobs.settings import DEFAULT_APP

#: Where nobody names an app: that of the jobs, which is what most people look for.
NO_APP_NAMED = DEFAULT_APP
App = Annotated[
    str,
    typer.Option("--app", "-a", envvar=["FLY_APP_NAME", "EPHEMERA_APP"], help="The app's name."),
]
Json = Annotated[bool, typer.Option("--json", help="For programs to read.")]
NoTail = Annotated[
    bool, typer.Option("--no-tail", "-n", help="End after the lines that are there.")
]
