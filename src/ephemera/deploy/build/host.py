"""The builder `host`: a copy of the source, for machines that are processes of this computer.

```
<home>/builds/<app>/<release>/      the project, as it was; the last ten are kept
```

Programs run from it with the Python of the project's virtual environment, else with the one that
runs here. Copies, not links: an editor that writes into a file must not reach what runs.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from ephemera.deploy.build import ignoring
from ephemera.deploy.build.request import BuildRequest, Built, Tell, shown_size
from ephemera.deploy.build.shortage import no_room
from ephemera.deploy.build.tree import files
from ephemera.errors import ConfigError

_IMAGE = "host"
_KEPT_BUILDS = 10
#: Goes into the folder, and becomes the program: signals reach what was asked for.
_BEFORE = ("/bin/sh", "-c", 'cd "$0" && exec "$@"')


def build(request: BuildRequest, tell: Tell) -> Built:
    """Copy a project, and say how it is run from the copy.

    Raises:
        BuildError: a file cannot be read, or there is no room.
        ConfigError: there is no start command.
    """
    if not request.start:
        raise ConfigError(
            f"nothing says how app '{request.app}' is started",
            hint="give its command in [processes] of fly.toml: app = 'gunicorn main:app'",
        )
    place = request.home / "builds" / request.app / request.release_id
    place.parent.mkdir(parents=True, exist_ok=True)
    with no_room(place):
        size, count = _copy(request, place)
    tell(f"copied {count} files, {shown_size(size)}, to {place}")
    _keep_newest(place.parent)
    before = (*_BEFORE, str(place))
    env = _environment(place, _programs(request.folder))
    return Built("host", _IMAGE, "", size, exec=(*before, *request.start), env=env, before=before)


def _copy(request: BuildRequest, place: Path) -> tuple[int, int]:
    """Copy the project under its name when all of it is there; return its size and its files."""
    size = count = 0
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=".new-") as made:
        whole = Path(made, "whole")
        whole.mkdir()
        for found in files(request.folder, ignoring.ignored(request.folder, request.ignorefile)):
            target = whole / found.name
            if found.is_folder:
                target.mkdir()
                continue
            shutil.copy2(found.path, target, follow_symlinks=False)
            size, count = size + found.size, count + 1
        shutil.rmtree(place, ignore_errors=True)
        whole.rename(place)
    return size, count


def _programs(project: Path) -> Path:
    """Return where the programs of the project's dependencies are."""
    for name in (".venv", "venv"):
        programs = project / name / "bin"
        if (programs / "python").exists():
            return programs.absolute()
    return Path(sys.executable).parent


def _environment(place: Path, programs: Path) -> Mapping[str, str]:
    """Return what programs need to find the copy and its dependencies."""
    path = os.pathsep.join((str(programs), os.environ.get("PATH", os.defpath)))
    modules = [str(place)]
    if (place / "src").is_dir():
        modules.append(str(place / "src"))
    return {
        "PATH": path,
        "PYTHONPATH": os.pathsep.join(modules),
        "PYTHONUNBUFFERED": "1",
    }


def _keep_newest(folder: Path) -> None:
    """Remove old copies: ids of releases sort by age."""
    made = sorted(one for one in folder.iterdir() if not one.name.startswith("."))
    for one in made[:-_KEPT_BUILDS]:
        shutil.rmtree(one, ignore_errors=True)
