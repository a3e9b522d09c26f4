"""Writing a new application into a folder of its own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath
from typing import Any

from ephemera import __version__
from ephemera.deploy.build.ourselves import is_from_no_index
from ephemera.deploy.launch.names import name_of
from ephemera.deploy.rendering import render
from ephemera.deploy.scaffold.names import check_name, package_of
from ephemera.errors import ConfigError

FRAMEWORKS = ("flask", "fastapi", "django")

_ROOT = "new"
_RENDERED = ".jinja"
#: How an application is run while it is written, and at which port.
_RUN = {
    "flask": ("flask run --debug", 5000),
    "fastapi": ("uvicorn main:app --reload", 8000),
    "django": ("DJANGO_DEBUG=1 python manage.py runserver", 8000),
}
#: Where a template goes that is called otherwise: a `.gitignore` would count for the templates
#: themselves, and Django has elsewhere what the others have at their top.
_PLACES = {"gitignore": ".gitignore"}
_PLACES_IN_DJANGO = _PLACES | {"jobs.py": "jobs/machines.py"}


def create(parent: Path, name: str, framework: str) -> Path:
    """Write a new application into the folder `parent/name`, and return that.

    The folder is there with all of it, or not at all.

    Raises:
        ConfigError: it cannot be called so, there is such a folder already, no such framework,
            or it cannot be written.
    """
    if framework not in FRAMEWORKS:
        known = ", ".join(FRAMEWORKS)
        raise ConfigError(f"there is no framework '{framework}'", hint=f"there are: {known}")
    check_name(name, framework)
    place = parent / name
    if place.exists() or place.is_symlink():
        raise ConfigError(f"there is a {place} already", hint="choose another name, or remove it")
    try:
        _write(place, dict(_files(name, framework)))
    except OSError as error:
        raise ConfigError(f"{place} cannot be written: {error.strerror}") from error
    return place


def _files(name: str, framework: str) -> Iterator[tuple[str, str]]:
    """Yield the files of an application: where each is, and its text."""
    package = package_of(name)
    run, port = _RUN[framework]
    values: dict[str, Any] = {
        "name": name,
        "app": name_of(name),
        "package": package,
        "framework": framework,
        "version": __version__,
        "run": run,
        "port": port,
        "from_checkout": is_from_no_index(),
    }
    places = _PLACES_IN_DJANGO if framework == "django" else _PLACES
    templates = resources.files("ephemera.deploy") / "templates"
    for kind in ("common", framework):
        for path, source in _walk(templates / _ROOT / kind, PurePosixPath()):
            place = path.as_posix().removesuffix(_RENDERED)
            place = places.get(place, place)
            if path.parts[0] == "package":
                place = place.replace("package", package, 1)
            rendered = path.name.endswith(_RENDERED)
            template = f"{_ROOT}/{kind}/{path}"
            yield place, render(template, **values) if rendered else source.read_text("utf-8")


def _walk(folder: Traversable, at: PurePosixPath) -> Iterator[tuple[PurePosixPath, Traversable]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _walk(entry, at / entry.name)
        else:
            yield at / entry.name, entry


def _write(place: Path, files: dict[str, str]) -> None:
    """Write all files beside their place, then put the folder there."""
    beside = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=place.parent))
    try:
        for name, text in files.items():
            file = beside / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text.encode())
        beside.chmod(0o755)
        beside.rename(place)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
