"""The subordinate ids of a user, which other users of machines are mapped to.

Source: `man 5 subuid`, `man 1 newuidmap`. Standard library only.
"""

from __future__ import annotations

import os
import pwd
import shutil
from pathlib import Path
from typing import NamedTuple

#: Users that images have: from 0 to 65,535, of which the first is the user.
_NEEDED = 65535
#: Where programs of the system are that only root has in the path.
PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))


class Range(NamedTuple):
    """Whom the users, or groups, of a namespace are on this computer."""

    #: The user's own id, which is root.
    own: int
    start: int
    size: int

    def mapping(self) -> str:
        """Return what `newuidmap` is told."""
        return f"0 {self.own} 1 1 {self.start} {self.size}"


class Ids(NamedTuple):
    """Users and groups."""

    uids: Range
    gids: Range


def find(folder: Path = Path("/etc")) -> tuple[Ids | None, list[tuple[str, str]]]:
    """Return the ids of whoever asks, and what lacks to use them: what, and what to do.

    Args:
        folder: Where `subuid` and `subgid` are.
    """
    lacks = []
    if not (shutil.which("newuidmap", path=PATH) and shutil.which("newgidmap", path=PATH)):
        lacks.append(("there is no newuidmap and newgidmap", "apt-get install uidmap"))
    name = _name()
    uids = _range(folder / "subuid", os.getuid(), name)
    gids = _range(folder / "subgid", os.getgid(), name)
    if uids is None or gids is None:
        ids = "100000-165535"
        lacks.append(
            (
                f"user '{name}' has no {_NEEDED:,} subordinate ids in {folder}/subuid and subgid",
                f"as root: usermod --add-subuids {ids} --add-subgids {ids} {name}",
            )
        )
        return None, lacks
    return Ids(uids, gids), lacks


def _name() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _range(file: Path, own: int, name: str) -> Range | None:
    """Return the first range of a user that is large enough."""
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        who, _, numbers = line.partition(":")
        start, _, count = numbers.partition(":")
        is_range = start.isdecimal() and count.isdecimal() and int(count) >= _NEEDED
        if is_range and who in (name, str(os.getuid())):
            return Range(own, int(start), int(count))
    return None
