"""Which packages a project has, and which package manager it is used with."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from ephemera.deploy.scan.project import Manager, Packages
from ephemera.errors import ConfigError

REQUIREMENTS = "requirements.txt"
#: What is looked for, the most exact first.
LOOKED_FOR = ("uv.lock", "poetry.lock", "Pipfile.lock", "Pipfile", REQUIREMENTS, "pyproject.toml")

#: What extras of packages bring along, as far as it makes a difference here.
_BROUGHT = {
    ("fastapi", "all"): "uvicorn",
    ("fastapi", "standard"): "uvicorn",
    ("psycopg", "binary"): "psycopg-binary",
}
_INCLUDE = re.compile(r"(?:-r|--requirement|-c|--constraint)[ =]*(\S+)")
#: What comes behind a requirement that is none of it: options such as `--hash`, and comments.
_BEHIND = re.compile(r"\s+(?:#|--).*|^#.*")
_LOCAL = re.compile(r"(?:-e|--editable)[ =]|\.{0,2}/|\.(?:\[|$)")


def find(folder: Path) -> Packages | None:
    """Return where the packages of a project are written down; None where nothing says it.

    Raises:
        ConfigError: one of these files cannot be read.
    """
    project = _toml(folder / "pyproject.toml")
    is_package = _is_package(project)
    if (folder / "uv.lock").is_file():
        return _of_lock("uv", folder / "uv.lock", is_package)
    if (folder / "poetry.lock").is_file():
        return _of_lock("poetry", folder / "poetry.lock", is_package)
    if (folder / "Pipfile").is_file():
        return _of_pipenv(folder)
    if (folder / REQUIREMENTS).is_file():
        return _of_pip(folder, is_package)
    if project:
        manager: Manager = "poetry" if _only_poetry_reads(project) else "pyproject"
        names = frozenset(_names(_required(project)))
        return Packages(manager, ("pyproject.toml",), names, is_package)
    return None


def _of_pipenv(folder: Path) -> Packages:
    lock = folder / "Pipfile.lock"
    names = set(_names(_toml(folder / "Pipfile").get("packages", {})))
    if not lock.is_file():
        return Packages("pipenv", ("Pipfile",), frozenset(names))
    try:
        locked = json.loads(lock.read_text(encoding="utf-8"))["default"]
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise ConfigError(
            f"{lock} cannot be read: it is not a lock file", hint="`pipenv lock` writes it"
        ) from error
    return Packages("pipenv", ("Pipfile", "Pipfile.lock"), frozenset(names | set(_names(locked))))


def _of_pip(folder: Path, is_package: bool) -> Packages:
    files = list(_with_included(folder, REQUIREMENTS, ()))
    lines = [line for file in files for line in _lines(folder / file)]
    return Packages(
        manager="pip",
        files=tuple(files),
        names=frozenset(_names(lines)),
        is_package=is_package,
        need_source=any(_LOCAL.match(line) for line in lines),
    )


def _with_included(folder: Path, file: str, seen: tuple[str, ...]) -> Iterator[str]:
    """Yield a file of requirements, and those that it includes, each once."""
    if file in seen or not (folder / file).is_file():
        return
    yield file
    for line in _lines(folder / file):
        included = _INCLUDE.match(line)
        if included:
            beside = (Path(file).parent / included[1]).as_posix()
            yield from _with_included(folder, beside, (*seen, file))


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8-sig").replace("\\\n", " ")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not text in UTF-8", hint="save it as UTF-8") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    return [_BEHIND.sub("", line).strip() for line in text.splitlines()]


def _names(requirements: Iterable[str]) -> Iterator[str]:
    """Yield the normalised names of requirements, and of what their extras bring along."""
    for text in requirements:
        try:
            found = Requirement(text)
        except InvalidRequirement:
            continue
        name = canonicalize_name(found.name)
        yield name
        yield from (_BROUGHT[name, extra] for extra in found.extras if (name, extra) in _BROUGHT)


def _required(project: dict[str, Any]) -> list[str]:
    """Return what a `pyproject.toml` requires, in the form of the standard or of Poetry."""
    standard = project.get("project", {}).get("dependencies", [])
    poetry = project.get("tool", {}).get("poetry", {}).get("dependencies", {})
    return [text for text in [*standard, *poetry] if isinstance(text, str)]


def _only_poetry_reads(project: dict[str, Any]) -> bool:
    """Return whether what a project requires is written in the form of Poetry alone."""
    poetry = project.get("tool", {}).get("poetry", {}).get("dependencies", {})
    return not project.get("project", {}).get("dependencies") and bool(set(poetry) - {"python"})


def _of_lock(manager: Manager, lock: Path, is_package: bool) -> Packages:
    packages = [one for one in _toml(lock).get("package", []) if "name" in one]
    return Packages(
        manager=manager,
        files=("pyproject.toml", lock.name),
        names=frozenset(canonicalize_name(one["name"]) for one in packages),
        is_package=is_package,
        need_source=any(_is_folder(one.get("source", {})) for one in packages),
    )


def _is_folder(source: dict[str, Any]) -> bool:
    """Return whether a package comes from a folder beside the project, in the words of a lock."""
    of_poetry = source.get("url", ".") if source.get("type") == "directory" else "."
    places = (source.get("editable", "."), source.get("directory", "."), of_poetry)
    return any(place != "." for place in places)


def _is_package(project: dict[str, Any]) -> bool:
    """Return whether a project is installed itself, as uv and Poetry decide it."""
    tools = project.get("tool", {})
    if "poetry" in tools:
        return bool(tools["poetry"].get("package-mode", True)) and "build-system" in project
    return bool(tools.get("uv", {}).get("package", "build-system" in project))


def _toml(path: Path) -> dict[str, Any]:
    """Return what a TOML file holds; nothing where there is none."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
