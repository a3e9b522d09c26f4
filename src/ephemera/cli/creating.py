"""`ephemera new`: a new application."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ephemera.cli.screen import say


def new(
    name: Annotated[str, typer.Argument(help="Its name, and that of its folder.")],
    framework: Annotated[str, typer.Option(help="flask, fastapi or django.")] = "flask",
) -> None:
    """Write a small web application with one background job, and its tests, into a new folder.

    It has three pages: /job/start enqueues a job, whose machine requests /job/complete;
    /job/status shows when that was.
    """
    from ephemera.deploy.scaffold import create

    place = create(Path(), name, framework)
    say(f"created {place} with {framework}; its README.md says how it is run")
    say(f"next: cd {place} && ephemera launch --serverless")
