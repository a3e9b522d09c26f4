"""A Django project: its settings, its application, and what they say of files and database."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ephemera.deploy.scan.project import Application
from ephemera.deploy.scan.source import Module, assigned, imported, read, text_of, texts

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
    #: The settings of the application, where `manage.py` would take others.
    served_with: str = ""

    def command(self, name: str) -> str:
        """Return a command of `manage.py`, with the settings that the application has."""
        settings = f" --settings {self.served_with}" if self.served_with else ""
        return f"python {self.manage} {name} --noinput{settings}"

    @property
    def manage(self) -> str:
        """`manage.py`, from the project's folder."""
        return "manage.py" if self.root == "." else f"{self.root}/manage.py"

    def setting(self, name: str) -> ast.expr | None:
        """Return what a setting is assigned last; None where it is not."""
        return _assigned_last(self.settings, name)


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
    modules = tuple(_settings(folder, root, settings, files))
    application = _application(root, settings, modules, files, names)
    served = _served_with(folder, root, application)
    if served and served != settings:
        modules = tuple(_settings(folder, root, served, files))
    return Django(
        root=root.as_posix(),
        package=settings.split(".")[0],
        settings=modules,
        application=application,
        served_with=served if served != settings else "",
    )


def _served_with(folder: Path, root: Path, application: Application | None) -> str:
    """Return the settings that the application sets for itself; empty where it sets none."""
    if application is None:
        return ""
    module = read(folder, _file(root, application.target.partition(":")[0]))
    return (module and _settings_of(module)) or ""


def _settings(folder: Path, root: Path, name: str, files: Sequence[Path]) -> Iterator[Module]:
    """Yield the modules of settings: what takes all of another one comes after that one."""
    file = _file(root, name)
    if file in files:
        yield from _with_bases(folder, root, file, files, [])
        return
    for path in files:
        if path.parent == file.with_suffix("") and (module := read(folder, path)):
            yield module


def _with_bases(
    folder: Path, root: Path, file: Path, files: Sequence[Path], seen: list[Path]
) -> Iterator[Module]:
    """Yield a module, after those of which it imports everything: `from .base import *`."""
    module = read(folder, file) if file in files and file not in seen else None
    if module is None:
        return
    seen.append(file)
    for node in module.tree.body:
        if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
            for base in imported(node, file, root.as_posix()):
                yield from _with_bases(folder, root, base, files, seen)
    yield module


def _application(
    root: Path,
    settings: str,
    modules: Sequence[Module],
    files: Sequence[Path],
    names: frozenset[str],
) -> Application | None:
    targets = {
        kind: next(
            (
                f"{module}:{name}"
                for module, name in _servers(kind, settings, modules)
                if _file(root, module) in files
            ),
            "",
        )
        for kind in ("wsgi", "asgi")
    }
    serves_asgi = "uvicorn" in names and "gunicorn" not in names
    if targets["asgi"] and (serves_asgi or not targets["wsgi"]):
        return Application("django", targets["asgi"], root.as_posix(), interface="asgi")
    if targets["wsgi"]:
        return Application("django", targets["wsgi"], root.as_posix())
    return None


def _servers(kind: str, settings: str, modules: Sequence[Module]) -> Iterator[tuple[str, str]]:
    """Yield where the application for a kind of server may be, the likeliest first."""
    said = text_of(_assigned_last(modules, f"{kind.upper()}_APPLICATION")) or ""
    module, _, name = said.rpartition(".")
    if module:
        yield module, name
    yield f"{settings.split('.')[0]}.{kind}", "application"
    yield kind, "application"


def _assigned_last(modules: Sequence[Module], name: str) -> ast.expr | None:
    found = None
    for module in modules:
        for target, value in assigned(module.tree):
            found = value if target == name else found
    return found


def _file(root: Path, module: str) -> Path:
    """Return the file of a module, `mysite.wsgi`, that is imported from `root`."""
    *folders, name = module.split(".")
    return Path(root, *folders, f"{name}.py")


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
