"""Which Python a project is for."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

from packaging.specifiers import InvalidSpecifier, SpecifierSet

_VERSION = re.compile(r"(?:c?python-?)?(3\.\d{1,2})(?:\.\d+)?")
#: Those of which there are images, the newest first.
KNOWN = ("3.14", "3.13", "3.12", "3.11", "3.10", "3.9", "3.8")
RUNNING = f"{sys.version_info[0]}.{sys.version_info[1]}"


def find(folder: Path) -> tuple[str, str]:
    """Return the version, as `3.12`, and where it is said; that is empty for the running one.

    A file that names one version goes before a range. Of a range, the running version is taken
    where it is in it, else the newest that is.
    """
    for name in (".python-version", "runtime.txt"):
        found = _VERSION.fullmatch(_first_line(folder / name))
        if found:
            return found[1], name
    pipfile = _read(folder / "Pipfile")
    for key in ("python_version", "python_full_version"):
        found = _VERSION.fullmatch(str(_within(pipfile, "requires", key)))
        if found:
            return found[1], "Pipfile"
    allowed = _range(_read(folder / "pyproject.toml"))
    if allowed is None:
        return RUNNING, ""
    fitting = [one for one in (RUNNING, *KNOWN) if f"{one}.99" in allowed or one in allowed]
    return (fitting[0] if fitting else RUNNING), "pyproject.toml"


def _range(project: dict[str, object]) -> SpecifierSet | None:
    standard = _within(project, "project", "requires-python")
    poetry = _within(project, "tool", "poetry", "dependencies", "python")
    text = standard if isinstance(standard, str) else poetry
    if not isinstance(text, str):
        return None
    try:
        return SpecifierSet(_as_standard(text))
    except InvalidSpecifier:
        return None


def _as_standard(text: str) -> str:
    """Return a range of Poetry, `^3.11` or `~3.11`, in the standard's form."""
    parts = [part.strip() for part in text.split(",")]
    parts = [f">={part[1:]},<4" if part.startswith("^") else part for part in parts]
    return ",".join(
        f"=={part[1:]}.*" if re.fullmatch(r"~\d+\.\d+", part) else part for part in parts
    )


def _within(tree: object, *keys: str) -> object:
    for key in keys:
        tree = tree.get(key) if isinstance(tree, dict) else None
    return tree


def _first_line(path: Path) -> str:
    try:
        lines = path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError):
        return ""
    return lines[0] if lines else ""


def _read(path: Path) -> dict[str, object]:
    """Return what a TOML file holds; nothing where there is none, or it is not TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return {}
