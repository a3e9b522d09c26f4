"""Tokens as they travel: what one is, may do, and was made for. Tokens are never printed."""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from ephemera.wire.golang import Blob, GoWire
from ephemera.wire.resource import Wire


class DeployToken(GoWire):
    """The answer to making a token for one app."""

    #: The whole of it, with its scheme. It is shown this once only.
    token: str = Field(default="", repr=False)


class TokenInfo(GoWire):
    """What one of the tokens of a request is."""

    token_id: str = ""
    #: The organisation's id.
    organization: str = ""
    org_slug: str = ""
    #: The names of the apps that it is restricted to.
    apps: list[str] = Field(default_factory=list)
    #: Empty where it is nobody's own.
    user: str = ""
    #: The machine that the request came from.
    source_machine_id: str = ""
    #: The only machine that may use it.
    restricted_to_machine: str = ""


class CurrentTokens(GoWire):
    """The answer to asking which tokens the caller showed."""

    tokens: list[TokenInfo] = Field(default_factory=list)


class Caveats(GoWire):
    """The restrictions of a token. They travel as an array, with no object around it."""

    caveats: list[dict[str, Any]] = Field(default_factory=list)

    @model_validator(mode="before")
    @classmethod
    def _as_go_writes_it(cls, said: Any) -> Any:
        return {"caveats": said} if isinstance(said, list) else said


class TokenNonce(GoWire):
    """What makes one token different from all others."""

    kid: Blob = b""
    rnd: Blob = b""
    proof: bool = False


class VerifiedToken(GoWire):
    """A token that is valid."""

    header: str = Field(default="", repr=False)
    nonce: TokenNonce | None = None
    caveats: Caveats | None = None
    permission_token: Blob = Field(default=b"", repr=False)


class TokenAccess(Wire):
    """An access that a token may or may not allow: something done to something.

    Leave out what does not matter. A part of something needs the whole of it named too: a
    machine's command the machine.
    """

    #: Letters, such as `"rw"`: read, write, create, delete, and C for control. The
    #: specification has their sum instead, of 1, 2, 4, 8 and 16.
    action: str | int | None = None
    org_slug: str | None = None
    app_name: str | None = None
    machine_id: str | None = None
    volume_id: str | None = None
    org_feature: str | None = None
    app_feature: str | None = None
    machine_feature: str | None = None
    command: list[str] | None = None
    mutation: str | None = None
    source_machine: str | None = None
    storage_object: str | None = None


class GrantedAccess(GoWire):
    """An access as the API understood it: names have become ids."""

    action: str | int | None = None
    orgid: int | None = None
    appid: int | None = None
    machine: str | None = None
    volume: str | None = None
    feature: str | None = None
    app_feature: str | None = None
    machine_feature: str | None = None
    command: list[str] | None = None
    mutation: str | None = None
    cluster: str | None = None
    storage_object: str | None = None
    sourceApp: str | None = None  # noqa: N815  # as it is on the wire
    sourceMachine: str | None = None  # noqa: N815  # as it is on the wire
    sourceOrganization: str | None = None  # noqa: N815  # as it is on the wire


class Authorization(GoWire):
    """The answer to asking whether a token allows an access: it does, and this one."""

    access: GrantedAccess | None = None
    verified_token: VerifiedToken | None = None
