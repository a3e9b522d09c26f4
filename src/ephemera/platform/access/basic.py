"""Basic authentication, which is how clients of registries show a token: as a password.

The user's name is nobody's: Fly.io's is `x`.
"""

from __future__ import annotations

import base64
import binascii


def as_bearer(authorization: str) -> str:
    """Return a header with a password as one with a token; any other as it is."""
    scheme, _, encoded = authorization.strip().partition(" ")
    if scheme.lower() != "basic":
        return authorization
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return f"Bearer {decoded.partition(':')[2]}"
