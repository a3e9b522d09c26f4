"""From a project and what is asked for to a plan. Nothing is written, and nobody is asked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ephemera.deploy.flytoml import DEFAULT_NAME, parse
from ephemera.deploy.launch.dockerfile import dockerfile
from ephemera.deploy.launch.names import name_of
from ephemera.deploy.launch.plan import Plan, PlannedFile, State, planned, read
from ephemera.deploy.launch.server import with_server
from ephemera.deploy.launch.wishes import BUILDERS, Wishes
from ephemera.deploy.rendering import render
from ephemera.deploy.scan import Project, scan
from ephemera.errors import ConfigError

#: Where an app listens whose Dockerfile does not say anything else.
PORT = 8080
#: Where Terraform puts machines if nobody says where; Fly.io's first region.
_TERRAFORM_REGION = "iad"
_EXPOSE = re.compile(r"^\s*EXPOSE\s+(\d{1,5})", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class _Before:
    """What the `fly.toml` that is there says, as far as it can be read."""

    app: str | None = None
    regions: tuple[str, ...] = ()
    serverless: bool = False
    builder: str = BUILDERS[0]

    @classmethod
    def read(cls, path: Path) -> _Before:
        """Return what a file says; nothing where there is none, or it is not right."""
        try:
            said = parse(read(path) or "", path)
        except ConfigError:
            return cls()
        regions = (said.primary_region,) if said.primary_region else ()
        web, builder = said.http_service, said.build.builder
        serverless = web is not None and web.min_machines_running == 0
        return cls(said.app, regions, serverless, builder if builder in BUILDERS else BUILDERS[0])


def plan(folder: Path, wishes: Wishes) -> Plan:
    """Return what a launch of the project in `folder` would do.

    A Dockerfile and a .dockerignore of the project's own are used as they are. With such a
    Dockerfile the project may be of any kind.

    Raises:
        ConfigError: it cannot be found out what the project is, its application needs a server
            that is not among its locked packages, or a file cannot be read.
    """
    folder = folder.absolute()
    before = _Before.read(folder / DEFAULT_NAME)
    own = None if wishes.force else _own_dockerfile(folder)
    project = _project(folder, own)
    name = wishes.name or before.app or name_of(folder.name)
    files = _files(folder, wishes, before, project, name, own)
    return Plan(
        folder=folder,
        app=name,
        is_named=bool(wishes.name),
        may_be_there=before.app == name,
        files=tuple(files),
        found=tuple(_found(project)) if project else ("found      a Dockerfile",),
        notes=tuple(_notes(project, own)) if project else (),
    )


def _own_dockerfile(folder: Path) -> str | None:
    """Return the Dockerfile that somebody wrote; None where there is none, or a generated one."""
    file = planned(folder, "Dockerfile", "", own_is_kept=True)
    return file.before if file.state is State.KEPT else None


def _project(folder: Path, own: str | None) -> Project | None:
    """Return what the project is; None where it has a Dockerfile that knows, and we do not."""
    try:
        return scan(folder)
    except ConfigError:
        if own is None:
            raise
        return None


def _files(
    folder: Path,
    wishes: Wishes,
    before: _Before,
    project: Project | None,
    name: str,
    own: str | None,
) -> Iterator[PlannedFile]:
    """Yield the files in the order in which they are written; the one that counts is the last."""
    if project and project.lacks_server and own is None:
        yield with_server(project)
    recipe = dockerfile(project, PORT) if project else own or ""
    yield planned(folder, "Dockerfile", recipe, own_is_kept=own is not None)
    ignored = render("launch/dockerignore.jinja")
    yield planned(folder, ".dockerignore", ignored, own_is_kept=not wishes.force)
    values = _values(wishes, before, project, own) | {"app": name}
    if wishes.terraform:
        yield planned(folder, "main.tf", render("launch/main.tf.jinja", **values))
    yield planned(folder, DEFAULT_NAME, render("launch/fly.toml.jinja", **values))


def _values(
    wishes: Wishes, before: _Before, project: Project | None, own: str | None
) -> dict[str, Any]:
    """Return what the templates say of the app, besides its name."""
    regions = wishes.regions or before.regions
    return {
        "region": regions[0] if regions else "",
        "regions": list(regions or (_TERRAFORM_REGION,)),
        "builder": wishes.builder or before.builder,
        "serverless": before.serverless if wishes.serverless is None else wishes.serverless,
        "port": _port(own),
        "release_command": project.release_command if project else "",
        "server": project.application.server if project else "",
        # A Dockerfile that somebody wrote says itself what it runs.
        "command": project.command if project and own is None else "",
        "statics": project.statics if project else (),
        "database": project.database if project else None,
        "database_variable": project.database_variable if project else "",
    }


def _port(own: str | None) -> int:
    """Return the port of the app: the one that its Dockerfile exposes."""
    found = _EXPOSE.search(own or "")
    return int(found[1]) if found and 1 <= int(found[1]) <= 65535 else PORT


def _found(project: Project) -> Iterator[str]:
    """Yield what was found out, a line each."""
    application, said_by = project.application, project.python_from
    yield f"framework  {application.framework}, served as `{application.command}`"
    yield f"Python     {project.python}, " + (f"of {said_by}" if said_by else "the one that runs")
    yield f"packages   {project.packages.manager}, of {', '.join(project.packages.files)}"
    if project.database:
        variable = project.database_variable
        yield f"database   {project.database}" + (f", named by {variable}" if variable else "")
    for static in project.statics:
        yield f"static     {static.folder} at {static.url}"


def _notes(project: Project, own: str | None) -> Iterator[str]:
    """Yield what its owner should know, a line each."""
    if project.answers_no_host:
        yield "ALLOWED_HOSTS is empty: Django answers as localhost only"
    if project.database == "sqlite":
        yield "the file of SQLite goes with its machine, unless it is in a volume: see fly.toml"
    elif project.database:
        variable = project.database_variable or "DATABASE_URL"
        yield f"say where the database is: ephemera secrets set {variable}=..."
    if project.lacks_server and own is None:
        server = project.application.server
        yield f"{server} is added to {project.packages.files[0]}; install it here, too"
