"""A Django project: its settings, its application, and what they say of files and database."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ephemera.deploy.scan.project import Application
from ephemera.deploy.scan.source import Module, assigned, read, text_of, texts

_SETTINGS = "DJANGO_SETTINGS_MODULE"


@dataclass(frozen=True)
class Django:
    """What `manage.py` and the settings say."""

    #: The folder of `manage.py`, from the project's folder.
    root: str
    #: The package of the settings, such as `mysite`.
    package: str
    settings: tuple[Module, ...]
    application: Application | None

    @property
    def manage(self) -> str:
        """`manage.py`, from the project's folder."""
        return "manage.py" if self.root == "." else f"{self.root}/manage.py"

    def setting(self, name: str) -> ast.expr | None:
        """Return what a setting is assigned last; None where it is not."""
        found = None
        for module in self.settings:
            for target, value in assigned(module.tree):
                found = value if target == name else found
        return found


def find(folder: Path, files: Sequence[Path], names: frozenset[str]) -> Django | None:
    """Return the Django project of a folder; None where no `manage.py` names any settings.

    Args:
        names: The project's packages: where gunicorn is not one of them but uvicorn is, the
            application is the one for it.
    """
    for path in files:
        if path.name != "manage.py":
            continue
        module = read(folder, path)
        settings = _settings_of(module) if module else None
        if settings:
            return _project(folder, path.parent, settings, files, names)
    return None


def _settings_of(manage: Module) -> str | None:
    """Return the module that `manage.py` sets as settings, such as `mysite.settings`."""
    for node in ast.walk(manage.tree):
        match node:
            case ast.Call(args=[ast.Constant(value=str(name)), ast.Constant(value=str(module))]):
                if name == _SETTINGS:
                    return module
    return None


def _project(
    folder: Path, root: Path, settings: str, files: Sequence[Path], names: frozenset[str]
) -> Django:
    package = settings.split(".")[0]
    place = root / Path(*settings.split("."))
    candidates = (
        [place.with_suffix(".py")]
        if place.with_suffix(".py") in files
        else [path for path in files if path.parent == place]
    )
    modules = [read(folder, path) for path in candidates]
    return Django(
        root=root.as_posix(),
        package=package,
        settings=tuple(module for module in modules if module),
        application=_application(root, package, files, names),
    )


def _application(
    root: Path, package: str, files: Sequence[Path], names: frozenset[str]
) -> Application | None:
    has = {kind: root / package / f"{kind}.py" in files for kind in ("wsgi", "asgi")}
    serves_asgi = has["asgi"] and "uvicorn" in names and "gunicorn" not in names
    if serves_asgi or (has["asgi"] and not has["wsgi"]):
        target = f"{package}.asgi:application"
        return Application("django", target, root.as_posix(), interface="asgi")
    if has["wsgi"]:
        return Application("django", f"{package}.wsgi:application", root.as_posix())
    return None


def static_folder(django: Django) -> str | None:
    """Return `STATIC_ROOT` from the project's folder, where it is a path below `BASE_DIR`."""
    value = django.setting("STATIC_ROOT")
    parts = [] if value is None else list(texts(value))
    if not parts or parts[0].startswith("/"):
        return None
    return (Path(django.root) / Path(*parts)).as_posix()


def static_url(django: Django) -> str:
    """Return `STATIC_URL` with its slashes: `/static/`."""
    given = text_of(django.setting("STATIC_URL")) or "static/"
    return f"/{given.strip('/')}/"
