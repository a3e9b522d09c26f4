"""The token that may do everything: made at the first start, in a file for its owner alone."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from ephemera.home import read_token


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
