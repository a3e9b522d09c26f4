"""What the platform knows of the tokens that it gave away."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """A token for one app."""

    #: Names it; it is a part of the token, and no secret.
    id: str
    app_id: str
    #: SHA-256 of the whole token, in hex.
    digest: str = field(repr=False)
    #: Seconds since 1970.
    created_at: float
    expires_at: float


@dataclass(frozen=True, slots=True)
class SigningKeyRecord:
    """A private key that identity tokens are signed with."""

    id: str
    sealed: bytes = field(repr=False)
    created_at: float
