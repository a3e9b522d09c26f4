"""The builder `host`: a copy of the source, for machines that are processes of this computer.

```
<home>/builds/<app>/<release>/      the project, the last ten are kept, while there is the app
```

Programs run from it with the Python of the project's virtual environment, else with the one that
runs here. Copies, not links: an editor that writes into a file must not reach what runs.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Collection
from pathlib import Path

from ephemera.deploy.build.copying import copy, environment
from ephemera.deploy.build.leftovers import remove_leftovers
from ephemera.deploy.build.request import BuildRequest, Built, Tell, shown_size
from ephemera.deploy.build.shortage import no_room
from ephemera.home import builds_folder

_IMAGE = "host"
_KEPT_BUILDS = 10
#: How the names of folders begin in which a copy is being made.
_NEW = ".new-"
#: Goes into the folder, and becomes the program: signals reach what was asked for.
_BEFORE = ("/bin/sh", "-c", 'cd "$0" && exec "$@"')


def build(request: BuildRequest, tell: Tell) -> Built:
    """Copy a project, and say how it is run from the copy.

    Raises:
        BuildError: a file cannot be read, static files cannot be collected, or there is no room.
    """
    place = builds_folder(request.home, request.app) / request.release_id
    place.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(place.parent, f"{_NEW}*")
    with (
        no_room(place),
        tempfile.TemporaryDirectory(dir=place.parent, prefix=_NEW) as made,
    ):
        whole = Path(made, "whole")
        size, count = copy(request, whole, tell)
        shutil.rmtree(place, ignore_errors=True)
        whole.rename(place)
    tell(f"copied {count} files, {shown_size(size)}, to {place}")
    _keep_newest(place.parent, request.in_use)
    before = (*_BEFORE, str(place))
    env = {**request.env, **environment(request.folder, place)}
    return Built("host", _IMAGE, "", size, exec=(*before, *request.start), env=env, before=before)


def _keep_newest(folder: Path, in_use: Collection[str]) -> None:
    """Remove old copies: ids of releases sort by age. One that machines run from stays."""
    made = sorted(one for one in folder.iterdir() if not one.name.startswith("."))
    for one in made[:-_KEPT_BUILDS]:
        if one.name not in in_use:
            shutil.rmtree(one, ignore_errors=True)
