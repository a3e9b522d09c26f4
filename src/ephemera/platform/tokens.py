"""The bearer token: made at the first start, kept in a file that only its owner can read."""

from __future__ import annotations

import hmac
import os
import secrets
from pathlib import Path

from ephemera.home import read_token

#: What the Authorization header may begin with: the documented form, Fly's macaroon form, and
#: both at once, as `fly tokens create` prints it. HTTP does not tell the case of schemes apart.
_SCHEMES = ("bearer ", "flyv1 ")


def ensure_token(home: Path) -> str:
    """Return the platform's token, made now if there is none. Repeating is safe."""
    token = read_token(home)
    if token is None:
        token = f"eph_{secrets.token_urlsafe(32)}"
        fresh = home / "token.new"
        file = os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        with os.fdopen(file, "w") as opened:
            opened.write(token + "\n")
        fresh.replace(home / "token")
    return token


def shown_token(authorization: str) -> str:
    """Return the token in an Authorization header."""
    rest = authorization.strip()
    while True:
        scheme = next((one for one in _SCHEMES if rest.lower().startswith(one)), None)
        if scheme is None:
            return rest
        rest = rest[len(scheme) :].strip()


def same(shown: str, token: str) -> bool:
    """Compare two tokens in a time that does not depend on where they differ."""
    return hmac.compare_digest(shown.encode(errors="replace"), token.encode())
