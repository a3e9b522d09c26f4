"""A copy of a project, and what is done in it before it is used."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from ephemera.deploy.build import ignoring
from ephemera.deploy.build.programs import run
from ephemera.deploy.build.request import BuildRequest, Tell
from ephemera.deploy.build.tree import files, warn_of_link
from ephemera.errors import BuildError

#: Django's settings ask for them, and collecting files does not use them.
_UNUSED = {
    "SECRET_KEY": "unused",
    "DJANGO_SECRET_KEY": "unused",
    "DATABASE_URL": "sqlite://:memory:",
}


def copy(request: BuildRequest, place: Path, tell: Tell) -> tuple[int, int]:
    """Copy a project into a new folder, with its static files collected.

    Returns:
        The size of its files in bytes, and how many there are.

    Raises:
        BuildError: a file cannot be read, or static files cannot be collected.
    """
    size = count = 0
    place.mkdir()
    for found in files(request.folder, ignoring.ignored(request.folder, request.ignorefile)):
        target = place / found.name
        if found.is_folder:
            target.mkdir(parents=True, exist_ok=True)
            continue
        warn_of_link(found, request.folder, tell)
        target.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # it has gone since it was listed
            shutil.copy2(found.path, target, follow_symlinks=False)
            size, count = size + found.size, count + 1
    if request.collect:
        _collect(request, place, tell)
    return size, count


def _collect(request: BuildRequest, place: Path, tell: Tell) -> None:
    tell(f"collecting static files: {shlex.join(request.collect)}")
    env = environment(request.folder, place)
    command = [shutil.which(request.collect[0], path=env["PATH"]) or "", *request.collect[1:]]
    code, lines = run(command, tell, cwd=place, environ={**_UNUSED, **request.env, **env})
    if code != 0:
        reason = lines[-1] if lines else f"exit code {code}"
        raise BuildError(
            f"static files cannot be collected, `{shlex.join(request.collect)}` fails: {reason}",
            hint="it runs here, with the project's .venv or with the Python that runs ephemera:"
            " install the project's packages there, or use a Dockerfile and buildah or docker",
        )


def environment(project: Path, place: Path) -> Mapping[str, str]:
    """Return what programs need to run from a copy: to find it, and the project's packages.

    Args:
        project: Its virtual environment is used, where it has one.
    """
    path = os.pathsep.join((str(_programs(project)), os.environ.get("PATH", os.defpath)))
    places = [one for one in (place, place / "src") if one.is_dir()]
    modules = os.pathsep.join(map(str, places))
    return {"PATH": path, "PYTHONPATH": modules, "PYTHONUNBUFFERED": "1"}


def _programs(project: Path) -> Path:
    for name in (".venv", "venv"):
        programs = project / name / "bin"
        if (programs / "python").exists():
            return programs.absolute()
    return Path(sys.executable).parent
