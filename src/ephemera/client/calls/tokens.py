"""Tokens: making one for an app, and finding out what one may do."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import StringConstraints, TypeAdapter

from ephemera.client.call import Call, app_path, encode, lister, reader
from ephemera.client.given import seconds
from ephemera.client.messages import Answer
from ephemera.errors import ConfigError
from ephemera.wire.durations import format_duration
from ephemera.wire.tokens import (
    Authorization,
    CurrentTokens,
    DeployToken,
    TokenAccess,
    TokenInfo,
    VerifiedToken,
)

#: With or without a scheme. A page of a proxy that is in the way is none.
_TOKEN = TypeAdapter(Annotated[str, StringConstraints(pattern=r"^(\w+ )?[\w.,~+/=:-]+$")])


def create_deploy(app: str, *, expiry: float | None = None) -> Call[str]:
    """Return a new token that may do everything with one app, and nothing else.

    It can be shown this once only; it is what `FLY_API_TOKEN` takes.

    Args:
        expiry: Seconds that it is good for; the API's own default is many years.

    Raises:
        NoAnswer: it may have been made, and nobody knows it.
    """

    def read(answer: Answer) -> str:
        return _TOKEN.validate_python(DeployToken.model_validate_json(answer.body).token)

    doing = f"creating a deploy token for app {app!r}"
    return Call(
        doing=doing,
        method="POST",
        path=app_path(app, "/deploy_token"),
        body=encode(doing, {"expiry": _lifetime(expiry)}),
        read=read,
    )


def current() -> Call[list[TokenInfo]]:
    """Return what the tokens of this client are.

    Raises:
        Unauthorized: they are not valid.
    """

    def read(answer: Answer) -> list[TokenInfo]:
        return CurrentTokens.model_validate_json(answer.body).tokens

    return Call(
        doing="asking what this token is",
        method="GET",
        path="/v1/tokens/current",
        read=read,
        repeatable=True,
    )


def authenticate(header: str) -> Call[list[VerifiedToken]]:
    """Return the tokens of a header that somebody has shown, if they are valid.

    Args:
        header: The whole value of an `Authorization` header.

    Raises:
        Invalid: they are not; the API may say so with `Unauthorized` too.
    """
    doing = "authenticating a token"
    return Call(
        doing=doing,
        method="POST",
        path="/v1/tokens/authenticate",
        body=encode(doing, {"header": header}),
        read=lister(VerifiedToken),
        repeatable=True,
    )


def authorize(header: str, access: TokenAccess | Mapping[str, Any]) -> Call[Authorization]:
    """Return the access that a header's tokens allow, if they do.

    Args:
        header: The whole value of an `Authorization` header.
        access: What is to be done, and with what.

    Raises:
        Unauthorized: they do not allow it.
        Invalid: they are not valid, or there is no such access.
    """
    doing = "authorizing a token"
    return Call(
        doing=doing,
        method="POST",
        path="/v1/tokens/authorize",
        body=encode(doing, {"header": header, "access": access}),
        read=reader(Authorization),
        repeatable=True,
    )


def oidc(*, aud: str | None = None, aws_principal_tags: bool = False) -> Call[str]:
    """Return a token with which a machine shows somebody else who it is. Safe to repeat.

    Only for programs inside a machine.

    Args:
        aud: Whom it is for.
        aws_principal_tags: With the claim that AWS makes session tags of.

    Raises:
        Invalid: the request does not come from a machine.

    Source: https://fly.io/docs/security/openid-connect/
    """
    doing = "asking for an OIDC token"
    return Call(
        doing=doing,
        method="POST",
        path="/v1/tokens/oidc",
        body=encode(doing, {"aud": aud, "aws_principal_tags": aws_principal_tags or None}),
        read=_text,
        repeatable=True,
    )


def kms() -> Call[str]:
    """Return a token with which a machine reaches the API's key store.

    Only for programs inside a machine.
    """
    return Call(doing="asking for a KMS token", method="POST", path="/v1/tokens/kms", read=_text)


def _lifetime(expiry: float | None) -> str | None:
    if expiry is None:
        return None
    if not 0 < seconds("a token's expiry", expiry) < math.inf:
        raise ConfigError(f"a token cannot expire after {expiry} seconds")
    return format_duration(expiry)


def _text(answer: Answer) -> str:
    return _TOKEN.validate_python(answer.body.decode(errors="replace").strip())
