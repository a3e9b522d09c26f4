"""The door: who a request comes from, by what it shows.

```
Authorization shown ──► each of its tokens: the owner's, or one of an app ──► joined, or 401
nothing shown, through a machine's socket ──► that machine, for what a machine may do, or 403
nothing shown, for what everybody may see ──► nobody
```
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from dataclasses import dataclass, field

from ephemera.platform.access import refusals, rights
from ephemera.platform.access.header import shown_tokens
from ephemera.platform.access.principal import NOBODY, OWNER, Principal, joined, of_app_token
from ephemera.platform.access.records import TokenRecord
from ephemera.platform.platform import Platform
from ephemera.platform.refusals import unauthenticated, unauthorized
from ephemera.platform.states import LIVE


@dataclass(frozen=True, slots=True)
class Shown:
    """A token that is ours and can be used."""

    token: str = field(repr=False)
    principal: Principal
    #: None for the platform's own.
    record: TokenRecord | None


class Door:
    """Lets in those who show a token of this platform.

    Args:
        token: The one that may do everything.
    """

    def __init__(self, platform: Platform, token: str) -> None:
        self._platform = platform
        self._token = token.encode()

    def admit(
        self, authorization: str, method: str, path: str, machine: Principal | None
    ) -> Principal:
        """Return who sends a request.

        Args:
            machine: Whose socket it came through, if through one.

        Raises:
            Refusal: nothing that lets them in (401), or a machine may not do this (403), or
                it is destroyed (404).
        """
        if machine and not authorization:
            if not self._is_up(machine) or not rights.machine_may(machine.machine, method, path):
                raise unauthorized()
            return machine
        if rights.everybody_may(method, path):
            return NOBODY
        tokens = shown_tokens(authorization)
        if authorization and not tokens:
            raise refusals.no_tokens()
        shown = [one.principal for one in self.valid(tokens)]
        if not shown:
            raise unauthenticated()
        return joined(shown)

    def _is_up(self, machine: Principal) -> bool:
        """Whether a machine still has its socket, through which connections may be open longer."""
        return self._platform.machines.located(machine.machine)[1].state in LIVE

    def valid(self, tokens: list[str]) -> Iterator[Shown]:
        """Yield those of the tokens that are ours and can be used now."""
        for token in tokens:
            if hmac.compare_digest(token.encode(errors="replace"), self._token):
                yield Shown(token, OWNER, None)
            elif record := self._platform.tokens.find(token):
                yield Shown(token, of_app_token(record.id, record.app_id), record)
