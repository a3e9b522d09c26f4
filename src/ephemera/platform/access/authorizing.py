"""Whether a token allows an access: the same rules that requests are held to, asked ahead.

An access is something done (`action`) to one thing: an organisation, an app, or a machine or
volume of an app, perhaps to a part of it. Actions travel as letters, and as numbers in the
document; both are taken, letters are answered.

Source: the API's document for the names, github.com/superfly/macaroon, flyio/access.go and
resset/action.go, for which of them go together.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Any

from ephemera.platform.access import refusals
from ephemera.platform.access.principal import Principal
from ephemera.platform.edge.networks import numeric_id
from ephemera.platform.platform import Platform
from ephemera.platform.records import AppRecord
from ephemera.platform.volumes.refusals import volume_not_found
from ephemera.wire.tokens import TokenAccess

#: read, write, create, delete, control: the letter at place n stands for 2 to the power of n.
LETTERS = "rwcdC"
_ALL = (1 << len(LETTERS)) - 1
_READ = 1

#: Which parts belong to which whole.
_PARTS = {
    "org_slug": ("org_feature", "storage_object"),
    "app_name": ("app_feature",),
    "machine_id": ("machine_feature", "command"),
}
#: Of these there is at most one.
_EITHER = (
    ("app_name", "org_feature"),
    ("machine_id", "volume_id", "app_feature"),
    ("machine_feature", "command"),
)


@dataclass(frozen=True, slots=True)
class Access:
    """An access whose names were looked up."""

    action: int
    org_slug: str
    #: Also where the access is to a machine or a volume of it.
    app: AppRecord | None
    asked: TokenAccess

    def check_there(self, platform: Platform) -> None:
        """See that the app is where it is said to be, and what is in it is there.

        Told only to those who may touch the app.

        Raises:
            Refusal: it is of another organisation, or has no such machine or volume.
        """
        if self.app and self.app.org_slug != self.org_slug:
            raise refusals.access_inconsistent(self.app.name, self.org_slug)
        if self.app and self.asked.machine_id:
            platform.machines.owner(self.app, self.asked.machine_id)
        if self.app and self.asked.volume_id:
            platform.volumes.one(self.app, self.asked.volume_id)

    def view(self) -> dict[str, Any]:
        """Return how it looks on the wire: what was not asked about is left out."""
        asked = self.asked
        shown: dict[str, Any] = {
            "action": letters(self.action),
            "orgid": numeric_id(self.org_slug),
            "appid": numeric_id(self.app.id) if self.app else None,
            "feature": asked.org_feature,
            "app_feature": asked.app_feature,
            "machine": asked.machine_id,
            "machine_feature": asked.machine_feature,
            "volume": asked.volume_id,
            "command": asked.command,
            "mutation": asked.mutation,
            "sourceMachine": asked.source_machine,
            "storage_object": asked.storage_object,
        }
        return {name: value for name, value in shown.items() if value is not None}


def allowed(principal: Principal, access: Access, orgs: Container[str]) -> bool:
    """Whether a token stands for enough.

    Args:
        orgs: The organisations of the apps that the token is for, which it may look at.
    """
    if principal.is_owner:
        return True
    if access.app:
        return principal.may_touch(access.app.id)
    return access.org_slug in orgs and access.action in (0, _READ)


def looked_up(platform: Platform, asked: TokenAccess) -> Access:
    """Return an access to an app that is there, or to an organisation.

    Raises:
        Refusal: it makes no sense (400), or there is no such app (404).
    """
    action = check(asked)
    app = _app(platform, asked)
    org_slug = asked.org_slug or (app.org_slug if app else "")
    return Access(action, org_slug, app, asked)


def _app(platform: Platform, asked: TokenAccess) -> AppRecord | None:
    """Return the app of an access, also where only something in it is named."""
    if asked.app_name:
        return platform.apps.named(asked.app_name)
    if asked.machine_id:
        return platform.machines.located(asked.machine_id)[0]
    if asked.volume_id:
        theirs = (one.app_id for one in platform.volumes.all() if one.id == asked.volume_id)
        app_id = next(theirs, None)
        if app_id is None:
            raise volume_not_found()
        return platform.apps[app_id]
    return None


def check(asked: TokenAccess) -> int:
    """Return the actions of an access, once it is clear that it is to one thing.

    Raises:
        Refusal: it is to nothing, to several things, or to a part of something unnamed.
    """
    for whole, parts in _PARTS.items():
        for part in parts:
            if _named(asked, part) and not _named(asked, whole):
                raise refusals.access_incomplete(part, whole)
    for names in _EITHER:
        if sum(_named(asked, name) for name in names) > 1:
            raise refusals.access_ambiguous(", ".join(names))
    if not any(_named(asked, name) for name in ("org_slug", "app_name", "machine_id", "volume_id")):
        raise refusals.access_unspecified()
    return actions(asked.action)


def actions(given: str | int | None) -> int:
    """Return a set of actions as a number.

    Raises:
        Refusal: it has something else among them.
    """
    if given is None:
        return 0
    if isinstance(given, int):
        if not 0 <= given <= _ALL:
            raise refusals.action_invalid(given)
        return given
    if given == "*":
        return _ALL
    if not set(given) <= set(LETTERS):
        raise refusals.action_invalid(given)
    return sum(1 << LETTERS.index(letter) for letter in set(given))


def letters(given: int) -> str:
    """Return a set of actions as letters."""
    return "".join(letter for place, letter in enumerate(LETTERS) if given & 1 << place)


def _named(asked: TokenAccess, name: str) -> bool:
    return getattr(asked, name) not in (None, "")
