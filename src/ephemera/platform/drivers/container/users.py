"""Whom a program runs as, by the lists of users and groups that its image has.

Source: the image specification of the OCI, on `config.User`. Standard library only.
"""

from __future__ import annotations

from typing import NamedTuple

from ephemera.platform.drivers.container.inroot import Root
from ephemera.platform.drivers.monitoring.program import NotStarted

_ID_MAX = 65535
#: What has more is none, and Python refuses to read thousands of them.
_DIGITS_MAX = 10


class User(NamedTuple):
    """A user in a machine."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    #: The folder that is its home; `/` where nobody says.
    home: str


def find(root: Root, wanted: str) -> User:
    """Return the user that `wanted` means: `NAME`, `UID`, or either with `:GROUP`.

    Args:
        wanted: Empty for root.

    Raises:
        NotStarted: the image has no such user or group.
    """
    name, _, group = wanted.partition(":")
    name = name or "0"
    users = _rows(root.read("/etc/passwd"), 6)
    groups = _rows(root.read("/etc/group"), 3)
    row = next((one for one in users if one[0] == name), None)
    row = row or next((one for one in users if one[2] == name), None)
    if row is None and not name.isdecimal():
        raise NotStarted(f"there is no user '{name}' in the image")
    uid = _number(row[2] if row else name, "user", name)
    gid = _number(row[3], "group", row[3]) if row else 0
    if group:
        found = next((one for one in groups if group in (one[0], one[2])), None)
        if found is None and not group.isdecimal():
            raise NotStarted(f"there is no group '{group}' in the image")
        gid = _number(found[2] if found else group, "group", group)
    member = row[0] if row else ""
    others = () if group else _memberships(groups, member)
    return User(uid, gid, others, (row[5] if row else "") or "/")


def _memberships(groups: list[list[str]], member: str) -> tuple[int, ...]:
    # what has a number that no machine has owns no file of one: not to be in it changes nothing
    return tuple(
        int(one[2])
        for one in groups
        if member and len(one) > 3 and member in one[3].split(",") and _is_id(one[2])
    )


def _rows(text: str, fields: int) -> list[list[str]]:
    rows = (line.split(":") for line in text.splitlines() if not line.startswith("#"))
    return [row for row in rows if len(row) >= fields]


def _is_id(text: str) -> bool:
    return text.isdecimal() and len(text) <= _DIGITS_MAX and int(text) <= _ID_MAX


def _number(text: str, what: str, name: str) -> int:
    if not _is_id(text):
        raise NotStarted(f"{what} '{name}' is not a number from 0 to {_ID_MAX}")
    return int(text)
