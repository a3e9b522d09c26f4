"""The HTTP face of the platform: who may come in, and what every answer has in common."""

from __future__ import annotations

import logging

from sqlalchemy.exc import OperationalError
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ephemera import __version__
from ephemera.errors import DriverError, Unsupported
from ephemera.platform.access.basic import as_bearer
from ephemera.platform.access.door import Door
from ephemera.platform.faults.over_http import FaultsOverHttp
from ephemera.platform.faults.stage import Stage
from ephemera.platform.limits import Buckets, limited
from ephemera.platform.platform import Platform
from ephemera.platform.refusals import Refusal, unsupported
from ephemera.platform.registry.refusals import RegistryRefusal, in_form
from ephemera.platform.routes import (
    addresses,
    apps,
    certificates,
    history,
    images,
    inside,
    leases,
    logs,
    machines,
    metadata,
    moves,
    networks,
    orgs,
    places,
    registry,
    remains,
    secretkeys,
    secrets,
    terminals,
    testing,
    tokens,
    traffic,
    uploads,
    vitals,
    volumes,
)
from ephemera.platform.routes.scope import owner_only
from ephemera.wire.ids import new_ulid

_log = logging.getLogger(__name__)


async def about(_: Request) -> Response:
    """Say what answers here, to everybody."""
    return JSONResponse({"service": "ephemera", "version": __version__})


async def status(request: Request) -> Response:
    """Say how the platform is doing, for `ephemera status`."""
    owner_only(request)
    platform: Platform = request.app.state.platform
    return JSONResponse({"driver": platform.driver.name, "machines": platform.machines.counts()})


#: They are tried one after the other, so those that are asked for most come first.
ROUTES = [
    *machines.ROUTES,
    *history.ROUTES,
    *moves.ROUTES,
    *inside.ROUTES,
    *leases.ROUTES,
    *metadata.ROUTES,
    *vitals.ROUTES,
    *logs.ROUTES,
    *apps.ROUTES,
    *volumes.ROUTES,
    *secrets.ROUTES,
    *secretkeys.ROUTES,
    *tokens.ROUTES,
    *orgs.ROUTES,
    *places.ROUTES,
    *addresses.ROUTES,
    *certificates.ROUTES,
    *remains.ROUTES,
    *networks.ROUTES,
    *traffic.ROUTES,
    *images.ROUTES,
    *terminals.ROUTES,
    *registry.ROUTES,
    *uploads.ROUTES,
    Route("/", about, methods=["GET"]),
    Route("/ephemera/status", status, methods=["GET"]),
]


#: What begins an answer, to a request and to somebody who wants a WebSocket.
_BEGINNINGS = {"http.response.start", "websocket.accept", "websocket.http.response.start"}


def build(platform: Platform, token: str, stage: Stage | None = None) -> Starlette:
    """Return the application that serves a platform to those who show its token.

    Args:
        stage: What tests may do to it, where they may.
    """
    door = Door(platform, token)
    routes, middleware = ROUTES, [Middleware(Gate, door=door)]
    if platform.settings.fly_limits:
        buckets = Buckets(platform.clock)
        routes = [limited(route, buckets) for route in routes]
    if stage:
        routes = [*routes, *testing.ROUTES]
        middleware.append(Middleware(FaultsOverHttp, menu=stage.menu, clock=stage.clock))
    app = Starlette(
        routes=[*routes, *terminals.SOCKETS],
        middleware=middleware,
        exception_handlers={HTTPException: _no_such_endpoint},
    )
    app.router.redirect_slashes = False  # a path that is not an endpoint is a 404, as on Fly.io
    app.state.platform = platform
    app.state.door = door
    app.state.stage = stage
    return app


class Gate:
    """Lets those in who show the token, names each answer, and answers every failure."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        request_id = new_ulid()
        begun = False

        async def named_send(message: Message) -> None:
            nonlocal begun
            if message["type"] in _BEGINNINGS:
                begun = True
                MutableHeaders(scope=message)["fly-request-id"] = request_id
            elif message["type"] == "websocket.close" and not begun:
                raise Refusal(404, f"WebSocket {scope['path']}: not found")
            await send(message)

        try:
            self._admit(scope)
            await self._app(scope, receive, named_send)
        except Exception as error:
            if begun:
                raise
            await _failure(error, request_id, scope["path"])(scope, receive, named_send)

    def _admit(self, scope: Scope) -> None:
        state = scope.setdefault("state", {})
        authorization = Headers(scope=scope).get("authorization", "")
        if _is_registry(scope["path"]):
            authorization = as_bearer(authorization)
        state["principal"] = self._door.admit(
            authorization, scope.get("method", "GET"), scope["path"], state.get("machine")
        )


def _is_registry(path: str) -> bool:
    """Whether a path is of the registry, whose clients have a way of their own."""
    return path == "/v2" or path.startswith("/v2/")


def _failure(error: Exception, request_id: str, path: str) -> Response:
    if isinstance(error, Refusal):
        error = in_form(error) if _is_registry(path) else error
        return JSONResponse(error.body(), error.status, headers=error.headers())
    if isinstance(error, Unsupported):
        refusal = unsupported(error.message)
        return JSONResponse(refusal.body(), refusal.status)
    _log.error("request %s failed", request_id, exc_info=error)
    if isinstance(error, OperationalError):
        body = {"error": f"unavailable: the platform's database cannot be used: {error.orig}"}
        return JSONResponse(body, 503)
    if isinstance(error, DriverError):
        return JSONResponse({"error": f"unavailable: the driver has no answer: {error}"}, 503)
    return JSONResponse({"error": f"internal error, request {request_id}: see the log"}, 500)


async def _no_such_endpoint(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    said = f"{request.method} {request.url.path}: {error.detail.lower()}"
    headers = {"Allow": _methods(request)} if error.status_code == 405 else error.headers
    if _is_registry(request.url.path):
        raise RegistryRefusal(error.status_code, "UNSUPPORTED", said, headers)
    return JSONResponse({"error": said}, error.status_code, headers=headers)


def _methods(request: Request) -> str:
    """Return what may be asked of a path. Starlette knows the methods of one route at a time."""
    here = (
        route.methods or ()
        for route in request.app.routes
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE
    )
    return ", ".join(sorted({method for methods in here for method in methods}))
