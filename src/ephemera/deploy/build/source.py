"""The layer of a project's source.

```
/app/...                                       the project, of the ordinary user
/home/app/                                     a home for this user
/opt/venv/lib/pythonX.Y/site-packages/_app.pth   has Python look for modules in /app and /app/src
```

Modules are compiled here, where the same version of Python is, so that a machine that starts has
not to do it each time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ephemera.deploy.build.bytecode import Compiler
from ephemera.deploy.build.ignoring import Ignored
from ephemera.deploy.build.layers import FILE_MODE, FOLDER_MODE, PROGRAM_MODE, Entry
from ephemera.deploy.build.request import Tell
from ephemera.deploy.build.tree import Found, files, warn_of_link
from ephemera.deploy.build.venv import Venv

WORKDIR = "/app"
HOME = "/home/app"
#: The ordinary user; a number, because images need not have a name for it.
USER_ID = 1000


def entries(
    folder: Path, ignored: Ignored, venv: Venv, compiler: Compiler, tell: Tell
) -> Iterator[Entry]:
    """Yield what is in the layer.

    Raises:
        BuildError: something in the folder cannot be read.
    """
    for name in (WORKDIR, HOME):
        yield Entry(name[1:], FOLDER_MODE, owner=USER_ID)
    yield _path_file(folder, venv)
    for found in files(folder, ignored):
        warn_of_link(found, folder, tell)
        with suppress(FileNotFoundError):  # it has gone since it was listed
            entry = _entry(found)
            if found.name.endswith(".py") and not found.is_link:
                yield from compiler.entries(entry)
            yield entry


def _entry(found: Found) -> Entry:
    name = f"{WORKDIR[1:]}/{found.name}"
    if found.is_link:
        return Entry(name, link=str(found.path.readlink()), owner=USER_ID)
    if found.is_folder:
        return Entry(name, FOLDER_MODE, owner=USER_ID)
    mode = PROGRAM_MODE if found.is_program else FILE_MODE
    return Entry(name, mode, found.path, owner=USER_ID)


def _path_file(folder: Path, venv: Venv) -> Entry:
    """Return the file by which Python finds the project's modules, whatever is started and how."""
    places = [WORKDIR, f"{WORKDIR}/src"] if (folder / "src").is_dir() else [WORKDIR]
    return Entry(f"{venv.packages}/_app.pth", FILE_MODE, "\n".join((*places, "")).encode())
