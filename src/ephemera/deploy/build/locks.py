"""What a project depends on, in the form that `pip` and `uv` install from.

| found | read how |
|---|---|
| `uv.lock` | by `uv export`, which knows what is for production |
| `poetry.lock` | here, where it is of poetry 2, else by `poetry export` |
| `Pipfile.lock` | here |
| `requirements.txt` | as it is, with the files that it names |
| `pyproject.toml` | its `[project] dependencies`, which are not locked |

The first that is there counts.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ephemera.errors import BuildError, ConfigError

_EXPORT_TIMEOUT_S = 120
_BY_DOCKERFILE = "use a Dockerfile and `--builder buildah` or `--builder docker`"
#: Lines of a requirements file that name other files of the project.
_NAMES_FILE = re.compile(r"\s*(?:-r|-c|--requirement|--constraint)[ =]?\s*(\S+)")
#: And those that name a folder of source, or a repository.
_EDITABLE = re.compile(r"^\s*(?:-e|--editable)[ =]?\s*(\S+)", re.MULTILINE)
#: Files that name each other deeper than this name each other in a circle.
_DEPTH_MAX = 10


@dataclass(frozen=True, slots=True)
class Locked:
    """What a project depends on.

    Attributes:
        file: Where it says so; empty where it depends on nothing.
        requirements: The lines of a requirements file.
        known_by: All that decides what will be installed, as far as the project says it.
        is_whole: Whether nothing is needed that it does not name.
    """

    file: str
    requirements: str
    known_by: str
    is_whole: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to install."""
        lines = (line.strip() for line in self.requirements.splitlines())
        return not any(line and not line.startswith("#") for line in lines)


def find(folder: Path) -> Locked:
    """Return what a project depends on; nothing where no file says it.

    Raises:
        ConfigError: the file cannot be read.
        BuildError: the program that reads it is not there, or fails.
    """
    for name, read in _READERS.items():
        path = folder / name
        if not path.exists():
            continue
        try:
            requirements = read(path)
        except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
            raise ConfigError(
                f"{path} cannot be read: {error}",
                hint=f"have your package manager write {name} anew",
            ) from error
        known_by = "\n".join(_all_lines(path, 0)) if name == _REQUIREMENTS else requirements
        if _check_editable(name, known_by):
            known_by += _text_of(folder / "pyproject.toml") + _text_of(folder / "setup.py")
        return Locked(name, requirements, known_by, is_whole=name.endswith(".lock"))
    return Locked("", "", "")


def _check_editable(name: str, requirements: str) -> bool:
    """Return whether the project itself is among its requirements, to be used where it is.

    Raises:
        ConfigError: another folder is, and an image has nothing there.
    """
    places = [found[1] for found in _EDITABLE.finditer(requirements)]
    for place in places:
        if place.partition("[")[0] not in (".", "./"):
            raise ConfigError(
                f"package '{place}' of {name} is used from where it is, which no image has",
                hint=_BY_DOCKERFILE,
            )
    return bool(places)


def _text_of(path: Path) -> str:
    return path.read_text() if path.is_file() else ""


def _uv(path: Path) -> str:
    options = ["--frozen", "--no-dev", "--no-emit-project", "--no-header", "--no-annotate"]
    return _exported(path, "uv", ["export", "--quiet", "--format=requirements-txt", *options])


def _poetry(path: Path) -> str:
    lock = tomllib.loads(path.read_text())
    packages = lock.get("package", [])
    if not all("groups" in one for one in packages):
        return _exported(path, "poetry", ["export", "--format=requirements.txt"])
    main = [one for one in packages if "main" in one["groups"] and not one.get("optional")]
    return "\n".join(_poetry_line(one) for one in main)


def _poetry_line(package: Mapping[str, Any]) -> str:
    if package.get("source", {}).get("type") in ("directory", "file", "git", "url"):
        raise ConfigError(
            f"package '{package['name']}' of poetry.lock does not come from an index",
            hint=_BY_DOCKERFILE,
        )
    markers = package.get("markers", "")
    marker = markers.get("main", "") if isinstance(markers, dict) else markers
    return _line(package["name"], f"=={package['version']}", marker, _hashes(package))


def _hashes(package: Mapping[str, Any]) -> list[str]:
    return [one["hash"] for one in package.get("files", [])]


def _pipfile(path: Path) -> str:
    packages = json.loads(path.read_text())["default"]
    return "\n".join(_pipfile_line(name, one) for name, one in packages.items())


def _pipfile_line(name: str, package: Mapping[str, Any]) -> str:
    if "version" not in package:
        raise ConfigError(
            f"package '{name}' of Pipfile.lock does not come from an index",
            hint=_BY_DOCKERFILE,
        )
    extras = f"[{','.join(package['extras'])}]" if package.get("extras") else ""
    markers, hashes = package.get("markers", ""), package.get("hashes", [])
    return _line(name + extras, package["version"], markers, hashes)


def _line(name: str, version: str, marker: str, hashes: list[str]) -> str:
    """Return a line of a requirements file."""
    condition = f" ; {marker}" if marker else ""
    checked = "".join(f" --hash={one}" for one in hashes)
    return f"{name}{version}{condition}{checked}"


def _unlocked_pipfile(path: Path) -> str:
    raise ConfigError(
        f"there is no Pipfile.lock beside {path}", hint="`pipenv lock` writes it; then again"
    )


def _requirements(path: Path) -> str:
    return path.read_text()


def _pyproject(path: Path) -> str:
    said = tomllib.loads(path.read_text())
    tools, dependencies = said.get("tool", {}), said.get("project", {}).get("dependencies", [])
    if not dependencies and set(tools.get("poetry", {}).get("dependencies", {})) - {"python"}:
        raise ConfigError(
            f"there is no poetry.lock beside {path}", hint="`poetry lock` writes it; then again"
        )
    _check_from_an_index(path, dependencies, tools.get("uv", {}).get("sources", {}))
    return "\n".join(dependencies)


def _check_from_an_index(path: Path, dependencies: list[str], sources: Mapping[str, Any]) -> None:
    """Refuse packages from elsewhere: an index may have another one of the same name.

    Raises:
        ConfigError: one is from a workspace, a folder, a repository or a URL.
    """
    elsewhere = {canonicalize_name(name) for name, one in sources.items() if not _is_index(one)}
    for text in dependencies:
        name = Requirement(text).name
        if canonicalize_name(name) in elsewhere:
            raise ConfigError(
                f"package '{name}' of {path} does not come from an index, says [tool.uv.sources]",
                hint=_BY_DOCKERFILE,
            )


def _is_index(source: Any) -> bool:
    """Return whether a source, or each of several with conditions, is an index."""
    return all("index" in one for one in (source if isinstance(source, list) else [source]))


def _exported(path: Path, program: str, arguments: list[str]) -> str:
    """Return what a package manager says that its lock file means."""
    found = shutil.which(program)
    if found is None:
        raise BuildError(
            f"{path.name} is read by {program}, which is not there",
            hint=f"install {program}, or write a requirements.txt in the place of {path.name}",
        )
    try:
        done = subprocess.run(
            [found, *arguments],
            cwd=path.parent,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_EXPORT_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BuildError(
            f"{program} has not read {path.name} in {_EXPORT_TIMEOUT_S} s",
            hint=f"run it yourself: {program} {' '.join(arguments)}",
        ) from error
    if done.returncode != 0:
        raise BuildError(
            f"{program} cannot read {path}: {done.stderr.strip()[-2000:]}",
            hint=f"run it yourself: {program} {' '.join(arguments)}",
        )
    return done.stdout


def _all_lines(path: Path, depth: int) -> Iterator[str]:
    """Yield the lines of a requirements file and of those that it names."""
    for line in path.read_text().splitlines():
        yield line
        named = _NAMES_FILE.match(line)
        other = path.parent / named[1] if named else None
        if other and depth < _DEPTH_MAX and other.is_file():
            yield from _all_lines(other, depth + 1)


_REQUIREMENTS = "requirements.txt"
_READERS: Mapping[str, Callable[[Path], str]] = {
    "uv.lock": _uv,
    "poetry.lock": _poetry,
    "Pipfile.lock": _pipfile,
    "Pipfile": _unlocked_pipfile,
    _REQUIREMENTS: _requirements,
    "pyproject.toml": _pyproject,
}
