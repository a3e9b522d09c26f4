"""Adding the server that an application needs to the packages of its project."""

from __future__ import annotations

import tomlkit

from ephemera.deploy.launch.plan import PlannedFile, State, read
from ephemera.deploy.scan.project import Manager, Project
from ephemera.errors import ConfigError

#: What adds a package where there is a lock file, which only its own program writes.
_ADDS: dict[Manager, str] = {
    "uv": "uv add",
    "poetry": "poetry add",
    "pipenv": "pipenv install",
}


def with_server(project: Project) -> PlannedFile:
    """Return the file of the project's packages with the server among them.

    Raises:
        ConfigError: the packages are locked, and the lock is for its own program to write.
    """
    server, manager = project.application.server, project.packages.manager
    if manager in _ADDS:
        raise ConfigError(
            f"{project.folder} has no {server} among its packages, which serves the application",
            hint=f"`{_ADDS[manager]} {server}` adds it; then again",
        )
    name = project.packages.files[0]
    before = read(project.folder / name) or ""
    text = _in_requirements(before, server) if manager == "pip" else _in_project(before, server)
    return PlannedFile(name, text, before, State.ADDED_TO)


def _in_requirements(text: str, package: str) -> str:
    newline = "" if not text or text.endswith("\n") else "\n"
    return f"{text}{newline}{package}\n"


def _in_project(text: str, package: str) -> str:
    """Return a `pyproject.toml` with a package more; comments and layout stay."""
    document = tomlkit.parse(text)
    project = document.setdefault("project", tomlkit.table())
    project.setdefault("dependencies", tomlkit.array()).append(package)
    return tomlkit.dumps(document)
