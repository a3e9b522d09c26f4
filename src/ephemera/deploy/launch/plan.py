"""What a launch would write, and what is there already."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from ephemera.deploy.launch import signing
from ephemera.errors import ConfigError


class State(Enum):
    """What is to become of a file."""

    NEW = "new"
    #: It is what would be written.
    SAME = "unchanged"
    #: It is there as it was generated, and would be written anew.
    ANEW = "anew"
    #: It is of the project's own, and used as it is.
    KEPT = "kept"
    #: It says more than what it says now.
    ADDED_TO = "added to"
    #: Somebody edited or wrote it, and it would be lost.
    CONFLICT = "edited"


@dataclass(frozen=True)
class PlannedFile:
    """A file that would be written."""

    #: From the project's folder.
    name: str
    #: What would be in it.
    text: str
    #: What is in it; None where it is not there.
    before: str | None
    state: State

    @property
    def is_change(self) -> bool:
        """Whether anything would be written."""
        return self.state not in (State.SAME, State.KEPT)

    def difference(self) -> str:
        """Return the change as a unified diff; empty where there is none."""
        if not self.is_change:
            return ""
        before = (self.before or "").splitlines(keepends=True)
        source = "/dev/null" if self.before is None else f"a/{self.name}"
        lines = difflib.unified_diff(
            before, self.text.splitlines(keepends=True), source, f"b/{self.name}"
        )
        return "".join(_ended(line) for line in lines)


@dataclass(frozen=True)
class Plan:
    """All that a launch would do."""

    folder: Path
    #: The app's name.
    app: str
    #: Whether the name was asked for, so that no other one will do.
    is_named: bool
    #: Whether the app may be there already: the `fly.toml` that is there names it.
    may_be_there: bool
    files: tuple[PlannedFile, ...]
    #: What was found out, and what its owner should know; a line each.
    found: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def conflicts(self) -> list[PlannedFile]:
        """The files that would be lost."""
        return [file for file in self.files if file.state is State.CONFLICT]

    def settled(self, overwrite: Callable[[PlannedFile], bool]) -> Plan:
        """Return the plan without conflicts: each file in the way is written over, or kept."""
        return replace(self, files=tuple(_settled(file, overwrite) for file in self.files))

    def difference(self) -> str:
        """Return all changes as one unified diff; empty where there are none."""
        return "".join(file.difference() for file in self.files)


def _settled(file: PlannedFile, overwrite: Callable[[PlannedFile], bool]) -> PlannedFile:
    if file.state is not State.CONFLICT:
        return file
    return replace(file, state=State.ANEW if overwrite(file) else State.KEPT)


def planned(folder: Path, name: str, text: str, *, own_is_kept: bool = False) -> PlannedFile:
    """Return what becomes of a file that is to be `text`, given what is there.

    Args:
        text: Is signed here.
        own_is_kept: Whether a file that never was generated is used as it is, rather than being
            in the way.

    Raises:
        ConfigError: what is there cannot be read.
    """
    signed = signing.sign(text)
    before = read(folder / name)
    if before is None:
        state = State.NEW
    elif before == signed:
        state = State.SAME
    elif signing.is_as_generated(before):
        state = State.ANEW
    elif own_is_kept and not signing.was_generated(before):
        state = State.KEPT
    else:
        state = State.CONFLICT
    return PlannedFile(name, signed, before, state)


def read(path: Path) -> str | None:
    """Return what is in a file; None where there is none.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        # Not as text, which would change the ends of its lines.
        return path.read_bytes().decode()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not text in UTF-8") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error


def _ended(line: str) -> str:
    return line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
