"""`ephemera launch`: the files by which a project is deployed, and its app."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ephemera.cli.screen import note, say

if TYPE_CHECKING:
    from ephemera.client import Client
    from ephemera.deploy.launch import Plan, PlannedFile


def launch(
    folder: Annotated[Path, typer.Argument(help="The project's folder.")] = Path(),
    name: Annotated[
        str | None,
        typer.Option(
            metavar="APP",
            help="The app's name. Default: that of the fly.toml, else one like the folder's.",
            show_default=False,
        ),
    ] = None,
    org: Annotated[str, typer.Option(help="The organisation that the app is of.")] = "personal",
    region: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CODE", help="Where its machines are; may be repeated.", show_default=False
        ),
    ] = None,
    serverless: Annotated[
        bool | None,
        typer.Option(
            "--serverless/--no-serverless",
            help="Whether machines that have nothing to do are stopped, to the last one.",
            show_default=False,
        ),
    ] = None,
    terraform: Annotated[
        bool, typer.Option("--terraform", help="Write a main.tf for Terraform, too.")
    ] = False,
    builder: Annotated[
        str | None,
        typer.Option(
            help="What builds the image: auto, python, buildah, docker or host.",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be written, and do nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask whether to go on.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Write over files that somebody wrote or edited.")
    ] = False,
) -> None:
    """Get a project ready to be deployed: write its files, and create its app.

    Finds out what the project is from its files, without running any of them: Flask, FastAPI,
    Django or Starlette, the Python version, the packages (uv, Poetry, Pipenv, pip), the database.
    Writes fly.toml, Dockerfile and .dockerignore. A file that was generated and not edited may be
    written anew; any other is asked about, and is an error where there is nobody to ask. A
    Dockerfile and a .dockerignore of the project's own are used as they are. Options that are
    left out are as the fly.toml that is there says.
    """
    from ephemera.client import Client
    from ephemera.deploy import launch as launches

    wishes = launches.Wishes(
        name=name,
        org=org,
        regions=tuple(region or ()),
        serverless=serverless,
        terraform=terraform,
        builder=builder,
        force=force,
    )
    plan = launches.plan(folder, wishes)
    _show(plan)
    if dry_run:
        print(plan.difference(), end="", flush=True)
        return
    plan = plan.settled(lambda file: force or _may_overwrite(file)) if force or _asks() else plan
    if _asks() and not yes and not plan.conflicts:
        typer.confirm("Go on?", default=True, abort=True, err=True)
    with Client() as client:
        written = launches.launch(plan, wishes, client, say)
        _say_unserved(client, written)
    say("next: ephemera deploy")


def _say_unserved(client: Client, written: Path) -> None:
    """Say what of a `fly.toml` the platform does not do, where that is where it goes."""
    from ephemera.deploy import flytoml
    from ephemera.deploy.release import unserved

    if not client.link.place.fly:
        for complaint in unserved.complaints(flytoml.load(written)):
            note(f"note: {complaint}")


def _show(plan: Plan) -> None:
    """Say what was found out, and what would be done."""
    for line in (*plan.found, f"app        {plan.app}"):
        note(line)
    for file in plan.files:
        note(f"file       {file.name}: {file.state.value}")
    for line in plan.notes:
        note(f"note: {line}")


def _may_overwrite(file: PlannedFile) -> bool:
    """Ask whether a file that somebody edited may be lost."""
    note(file.difference())
    return typer.confirm(
        f"{file.name} was edited, or is your own. Write over it?", default=False, err=True
    )


def _asks() -> bool:
    return sys.stdin.isatty()
