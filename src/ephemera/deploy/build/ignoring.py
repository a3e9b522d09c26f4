"""Which files of a project do not go into its image: `.dockerignore`, and what never goes.

The patterns are Docker's: relative to the folder, `*` and `?` within a name, `**` across folders,
`!` to take something back; the last one that fits decides. What fits a folder fits all in it.

Source: https://docs.docker.com/build/concepts/context/#dockerignore-files
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

from ephemera.errors import ConfigError
from ephemera.home import home

IGNOREFILE = ".dockerignore"

#: What no image needs or may have: history, secrets, and what Python and its tools left behind.
_NEVER = frozenset(
    {
        ".DS_Store",
        ".direnv",
        ".envrc",
        ".git",
        ".hg",
        ".mypy_cache",
        ".netrc",
        ".nox",
        ".pypirc",
        ".pytest_cache",
        ".ruff_cache",
        ".svn",
        ".tox",
        "__pycache__",
    }
)
#: `.env.example` is for everybody; the others are secrets.
_ENVIRONMENT = re.compile(r"\.env(\.(?!example$|sample$|template$).*)?")
_VIRTUAL_ENVIRONMENT = "pyvenv.cfg"


class Ignored:
    """Tells whether a file is left out.

    Args:
        patterns: The lines of a `.dockerignore`.
    """

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        self._rules = [rule for line in patterns if (rule := _rule(line))]

    def leaves_out(self, name: str) -> bool:
        """Return whether the patterns leave a file out, or a folder that it is in.

        Args:
            name: Relative to the project's folder, with `/` between folders.
        """
        left_out = False
        for takes_back, pattern in self._rules:
            if left_out == takes_back and pattern.match(name):
                left_out = not takes_back
        return left_out

    @cached_property
    def takes_back(self) -> bool:
        """Whether something in a folder that is left out may be wanted all the same."""
        return any(takes_back for takes_back, _ in self._rules)


def ignored(folder: Path, ignorefile: Path | None = None) -> Ignored:
    """Return what a project leaves out.

    Args:
        ignorefile: In the place of the folder's `.dockerignore`, which need not be there.

    Raises:
        ConfigError: the file cannot be read.
    """
    path = ignorefile or folder / IGNOREFILE
    try:
        return Ignored(path.read_text().splitlines())
    except FileNotFoundError as error:
        if ignorefile is None:
            return Ignored()
        raise ConfigError(
            f"there is no file {ignorefile}", hint="look at [build] ignorefile of fly.toml"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path} cannot be read: {error}", hint="make it a readable text file"
        ) from error


def never_sent(path: Path) -> bool:
    """Return whether a file or folder goes into no image, whatever the patterns say."""
    name = path.name
    return (
        name in _NEVER
        or name.endswith(".pyc")
        or _ENVIRONMENT.fullmatch(name) is not None
        or (path / _VIRTUAL_ENVIRONMENT).exists()
        or _is_home(path)
    )


def _is_home(path: Path) -> bool:
    """Return whether it is the state folder, with its keys, and with this very image."""
    return path.name == home().name and path.absolute() == home()


def _rule(line: str) -> tuple[bool, re.Pattern[str]] | None:
    """Return whether a line takes back, and what it is about; None where it says nothing."""
    text = line.strip()
    if not text or line.startswith("#"):
        return None
    takes_back = text.startswith("!")
    parts = [part for part in text.removeprefix("!").strip().split("/") if part not in ("", ".")]
    return (takes_back, re.compile(_expression(parts))) if parts else None


def _expression(parts: Sequence[str]) -> str:
    """Return what fits the pattern, and everything below what does."""
    expression = ""
    for number, part in enumerate(parts):
        is_last = number == len(parts) - 1
        if part == "**":
            expression += ".*" if is_last else "(?:[^/]+/)*"
        else:
            expression += _name(part) + ("" if is_last else "/")
    return f"{expression}(?:/.*)?\\Z"


def _name(part: str) -> str:
    """Return what fits one name of a pattern."""
    expression, at = "", 0
    while at < len(part):
        char, rest = part[at], part[at + 1 :]
        closing = rest.find("]", 1) if char == "[" else -1
        at += 1
        if char == "*":
            expression += "[^/]*"
        elif char == "?":
            expression += "[^/]"
        elif char == "\\" and rest:
            expression += re.escape(rest[0])
            at += 1
        elif closing > 0:
            inside = rest[:closing].replace("\\", "\\\\")
            expression += f"[{inside}]"
            at += closing + 1
        else:
            expression += re.escape(char)
    return expression
