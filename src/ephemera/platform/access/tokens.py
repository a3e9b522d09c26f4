"""Tokens for one app: made, looked up at every request, revoked.

```
ephd_<id>_<secret>      id: 16 hex digits, to find the row; secret: 256 random bits
```

Only a digest is kept. It is a plain SHA-256: what a slow one protects are secrets that can be
guessed, and nobody guesses 256 bits. The form is opaque on purpose. Fly's own tokens begin with
`fm2_`, and Fly's clients take those apart and throw away what they cannot read; anything else
they pass on as it is.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable

from ephemera.platform.access import refusals
from ephemera.platform.access.records import TokenRecord
from ephemera.platform.access.store import AccessStore

_FORM = re.compile(r"ephd_([0-9a-f]{16})_[A-Za-z0-9_-]{43}")


class Tokens:
    """The tokens of all apps, in memory as the store has them.

    Args:
        lives: Says whether an app is there, by its id. The tokens of others are worth nothing.
    """

    def __init__(
        self, store: AccessStore, lives: Callable[[str], bool], clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._lives = lives
        self._clock = clock
        store.drop_expired_tokens(clock())
        self._by_id = {token.id: token for token in store.tokens()}

    def create(self, app_id: str, ttl_s: float) -> str:
        """Return a new token for an app. It is told this once; only its digest is kept."""
        now = self._clock()
        token_id = secrets.token_hex(8)
        token = f"ephd_{token_id}_{secrets.token_urlsafe(32)}"
        record = TokenRecord(token_id, app_id, _digest(token), now, now + ttl_s)
        self._store.add_token(record)
        self._by_id[token_id] = record
        return token

    def find(self, shown: str) -> TokenRecord | None:
        """Return the record of a token, if it is one of ours and can be used now."""
        form = _FORM.fullmatch(shown)
        record = self._by_id.get(form[1]) if form else None
        if record is None or not hmac.compare_digest(_digest(shown), record.digest):
            return None
        return record if self._is_usable(record) else None

    def usable(self) -> list[TokenRecord]:
        """Return the tokens that can be used now, oldest first."""
        return [record for record in self._by_id.values() if self._is_usable(record)]

    def revoke(self, token_id: str) -> None:
        """Make a token worthless.

        Raises:
            Refusal: there is no such token.
        """
        record = self._by_id.get(token_id)
        if record is None or not self._is_usable(record):
            raise refusals.token_not_found()
        self._store.drop_token(token_id)
        del self._by_id[token_id]

    def forget_app(self, app_id: str) -> None:
        """Forget the tokens of an app that is gone, whose rows go with its other rows."""
        mine = [token.id for token in self._by_id.values() if token.app_id == app_id]
        for token_id in mine:
            del self._by_id[token_id]

    def forget_expired(self) -> int:
        """Forget the tokens whose time is over; return how many."""
        now = self._clock()
        expired = [token.id for token in self._by_id.values() if token.expires_at <= now]
        if expired:
            self._store.drop_expired_tokens(now)
        for token_id in expired:
            del self._by_id[token_id]
        return len(expired)

    def _is_usable(self, record: TokenRecord) -> bool:
        return record.expires_at > self._clock() and self._lives(record.app_id)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
