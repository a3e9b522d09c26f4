"""`/v1/tokens` and its like: tokens made, revoked, looked at, and identity tokens of machines.

Listing and revoking are ours: on Fly.io they are not a part of the Machines API.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from ephemera.platform import requests
from ephemera.platform.access import authorizing, refusals, views
from ephemera.platform.access.bodies import (
    Authenticate,
    Authorize,
    CreateDeployToken,
    CreateOidcToken,
)
from ephemera.platform.access.door import Door, Shown
from ephemera.platform.access.header import shown_tokens
from ephemera.platform.platform import Platform
from ephemera.platform.records import AppRecord
from ephemera.platform.refusals import unauthenticated, unauthorized, unsupported
from ephemera.platform.routes.scope import app_of, owner_only, platform_of, principal_of
from ephemera.wire.durations import format_duration

_DEFAULT_ORG = "personal"
#: As `fly tokens create deploy` has it: 20 years.
DEFAULT_EXPIRY_S = 20 * 365 * 24 * 3600
#: What a Go duration can hold, in whole hours: 292 years. It is how clients say how long.
EXPIRY_MAX_S = 2_562_047 * 3600
#: Longer audiences would make tokens that no header has room for.
AUDIENCE_CHARS_MAX = 1024


async def create_deploy_token(request: Request) -> Response:
    """Make a token for one app. One that is itself for an app only cannot make others."""
    owner_only(request)
    body = await requests.model(request, CreateDeployToken)
    app = app_of(request)  # after the body, which may be long in coming
    ttl = requests.duration(body.expiry, DEFAULT_EXPIRY_S, "expiry")
    if not 1 <= ttl <= EXPIRY_MAX_S:
        raise refusals.expiry_invalid(body.expiry or "", format_duration(EXPIRY_MAX_S))
    token = platform_of(request).tokens.create(app.id, ttl)
    return JSONResponse({"token": f"FlyV1 {token}"})


async def list_tokens(request: Request) -> Response:
    """List the tokens of all apps, without what is secret of them."""
    owner_only(request)
    platform = platform_of(request)
    shown = [
        views.listed(record, platform.apps[record.app_id]) for record in platform.tokens.usable()
    ]
    return JSONResponse({"tokens": shown})


async def revoke_token(request: Request) -> Response:
    """Make a token worthless, at once."""
    owner_only(request)
    platform_of(request).tokens.revoke(request.path_params["token_id"])
    return Response(status_code=204)


async def current_tokens(request: Request) -> Response:
    """Say what the tokens of the request are."""
    platform, principal = platform_of(request), principal_of(request)
    if principal.machine:
        app, machine = platform.machines.located(principal.machine)
        return JSONResponse({"tokens": [views.of_app(machine.id, app, machine.id)]})
    shown = _door(request).valid(shown_tokens(request.headers["authorization"]))
    return JSONResponse({"tokens": [info for one in shown for info in _infos(platform, one)]})


def _infos(platform: Platform, shown: Shown) -> list[dict[str, object]]:
    if shown.record:
        return [views.of_app(shown.record.id, platform.apps[shown.record.app_id])]
    return [views.of_owner(org) for org in sorted({_DEFAULT_ORG, *platform.apps.orgs()})]


async def authenticate(request: Request) -> Response:
    """Say which tokens of a header are good."""
    body = await requests.model(request, Authenticate)
    shown = _verified(request, body)
    return JSONResponse([views.verified(one, _app_of(request, one)) for one in shown])


async def authorize(request: Request) -> Response:
    """Say whether a header's tokens are good for an access."""
    body = await requests.model(request, Authorize)
    shown = _verified(request, body)
    access = authorizing.looked_up(platform_of(request), body.access)
    for one in shown:
        app = _app_of(request, one)
        if authorizing.allowed(one.principal, access, {app.org_slug} if app else ()):
            access.check_there(platform_of(request))
            verified = views.verified(one, app)
            return JSONResponse({"access": access.view(), "verified_token": verified})
    raise unauthorized()


def _verified(request: Request, body: Authenticate) -> list[Shown]:
    tokens = shown_tokens(body.header)
    if not tokens:
        raise refusals.no_tokens(400)
    shown = list(_door(request).valid(tokens))
    if not shown:
        raise unauthenticated()
    return shown


def _app_of(request: Request, shown: Shown) -> AppRecord | None:
    return platform_of(request).apps[shown.record.app_id] if shown.record else None


async def create_oidc_token(request: Request) -> Response:
    """Make an identity token of the machine that asks."""
    principal = principal_of(request)
    body = await requests.model(request, CreateOidcToken, required=False)
    if not principal.machine:
        raise refusals.not_in_a_machine()
    audience = body.aud or ""
    if len(audience) > AUDIENCE_CHARS_MAX or not audience.isprintable():
        raise refusals.audience_invalid(AUDIENCE_CHARS_MAX)
    platform = platform_of(request)
    app, machine = platform.machines.located(principal.machine)
    token = await platform.issuer.token(
        app, machine, audience, aws_principal_tags=bool(body.aws_principal_tags)
    )
    return PlainTextResponse(token)


async def create_kms_token(_: Request) -> Response:
    """Fly's key management service is not here; secret keys are, and need no token of its."""
    raise unsupported("there is no KMS on this platform to make a token for; see secretkeys")


async def discovery(request: Request) -> Response:
    """Say where the keys of an issuer of identity tokens are."""
    issuer = platform_of(request).issuer
    return JSONResponse(issuer.configuration(request.path_params["org_slug"]))


async def jwks(request: Request) -> Response:
    """Show the public keys of an issuer of identity tokens."""
    return JSONResponse(await platform_of(request).issuer.jwks())


def _door(request: Request) -> Door:
    door: Door = request.app.state.door
    return door


_OIDC = "/oidc/{org_slug}/.well-known"
ROUTES = [
    Route("/v1/apps/{app_name}/deploy_token", create_deploy_token, methods=["POST"]),
    Route("/ephemera/tokens", list_tokens, methods=["GET"]),
    Route("/ephemera/tokens/{token_id}", revoke_token, methods=["DELETE"]),
    Route("/v1/tokens/current", current_tokens, methods=["GET"]),
    Route("/v1/tokens/authenticate", authenticate, methods=["POST"]),
    Route("/v1/tokens/authorize", authorize, methods=["POST"]),
    Route("/v1/tokens/oidc", create_oidc_token, methods=["POST"]),
    Route("/v1/tokens/kms", create_kms_token, methods=["POST"]),
    Route(_OIDC + "/openid-configuration", discovery, methods=["GET"]),
    Route(_OIDC + "/jwks", jwks, methods=["GET"]),
]
