"""The bodies of requests about tokens."""

from __future__ import annotations

from pydantic import Field

from ephemera.wire.resource import Wire
from ephemera.wire.tokens import TokenAccess


class CreateDeployToken(Wire):
    """A token for one app."""

    expiry: str | None = None


class CreateOidcToken(Wire):
    """An identity token of the machine that asks."""

    aud: str | None = None
    aws_principal_tags: bool | None = None


class Authenticate(Wire):
    """Tokens to be looked at, as an Authorization header shows them."""

    header: str = Field(repr=False)


class Authorize(Authenticate):
    """The same, for something that is to be done with them."""

    access: TokenAccess
