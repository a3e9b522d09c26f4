"""The token with which the runner of one attempt proves who it is.

It is derived from the store's secret, so it is nowhere at rest but in the machine, and a
supervisor that takes over half-way gives the machine the same one.
"""

from __future__ import annotations

import hmac


def attempt_token(secret: bytes, attempt_id: str) -> str:
    """Return the token of an attempt: 64 hexadecimal digits."""
    return hmac.new(secret, attempt_id.encode(), "sha256").hexdigest()


def is_token_of(secret: bytes, attempt_id: str, offered: str) -> bool:
    """Return whether a token is the attempt's, taking as long whatever was offered."""
    return hmac.compare_digest(attempt_token(secret, attempt_id).encode(), offered.encode())
