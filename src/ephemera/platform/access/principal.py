"""Who sends a request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Principal:
    """What the token of a request stands for."""

    #: Names the token; never the token itself.
    token_id: str
    #: Who holds the leases that are asked for with it.
    lease_owner: str
    #: The ids of the apps that it may touch; None for all of them, and for making new ones.
    apps: frozenset[str] | None = None
    #: The machine that sends the request, where that is what lets it in. It may change itself
    #: and nothing else, see `rights.py`.
    machine: str = ""

    @property
    def is_owner(self) -> bool:
        """Whether it may do everything on this platform."""
        return self.apps is None and not self.machine

    def may_touch(self, app_id: str) -> bool:
        """Whether it may see and change this app."""
        return self.apps is None or app_id in self.apps


#: The platform's own token, in its state folder.
OWNER = Principal("owner", "owner@ephemera.local")
#: Somebody who shows nothing, where nothing needs to be shown.
NOBODY = Principal("", "", frozenset())


def of_app_token(token_id: str, app_id: str) -> Principal:
    """Return who shows a token for one app."""
    return Principal(token_id, f"{token_id}@tokens.ephemera.local", frozenset((app_id,)))


def of_machine(machine_id: str, app_id: str) -> Principal:
    """Return who comes through the socket of a machine."""
    owner = f"{machine_id}@machines.ephemera.local"
    return Principal(machine_id, owner, frozenset((app_id,)), machine_id)


def joined(shown: Sequence[Principal]) -> Principal:
    """Return who shows several tokens at once: what one of them may do is allowed.

    Source: Fly.io's description of its tokens, github.com/superfly/macaroon, flyio/caveats.md.
    """
    first = shown[0]
    if len(shown) == 1:
        return first
    if OWNER in shown:
        return OWNER
    apps = frozenset[str]().union(*(one.apps or () for one in shown))
    return Principal(first.token_id, first.lease_owner, apps)
