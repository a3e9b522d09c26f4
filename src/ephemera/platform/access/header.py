"""Tokens in an Authorization header, in every form that clients are known to send.

`Bearer TOKEN` is the documented form, `FlyV1 TOKEN,TOKEN` that of fly-go, and `Bearer FlyV1
TOKEN` comes from those who put what `fly tokens create` prints behind `Bearer`.
"""

from __future__ import annotations

#: HTTP does not tell the case of schemes apart.
_SCHEMES = ("bearer", "flyv1")
#: Nobody sends more of them in front of each other.
_SCHEMES_MAX = 2
#: More are not looked at: each costs a digest, and Fly's clients send two or three.
TOKENS_MAX = 32


def shown_tokens(authorization: str) -> list[str]:
    """Return the tokens in a header; none where it is empty or of a scheme that is not ours."""
    rest = authorization.strip()
    for _ in range(_SCHEMES_MAX):
        scheme, _, after = rest.partition(" ")
        if scheme.lower() not in _SCHEMES:
            break
        rest = after.strip()
    tokens = [token.strip() for token in rest.split(",", TOKENS_MAX)[:TOKENS_MAX]]
    return [token for token in tokens if len(token.split()) == 1]  # no space, and something
