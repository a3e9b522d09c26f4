"""`/v1/apps`: apps."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ephemera.platform import refusals, requests, views
from ephemera.platform.bodies import CreateApp
from ephemera.platform.routes.scope import app_of, platform_of

_DEFAULT_ORG = "personal"


async def list_apps(request: Request) -> Response:
    """List the apps of an organisation."""
    platform = platform_of(request)
    apps = platform.apps(request.query_params.get("org_slug", _DEFAULT_ORG))
    shown = [views.app(app, len(platform.owners(app))) for app in apps]
    return JSONResponse({"total_apps": len(shown), "apps": shown})


async def create_app(request: Request) -> Response:
    """Create an app."""
    body = await requests.model(request, CreateApp)
    name = body.name or body.app_name
    if not name:
        raise refusals.invalid("name is required")
    org_slug = body.org_slug or _DEFAULT_ORG
    app = platform_of(request).create_app(name, org_slug, body.network or "")
    return JSONResponse({"id": app.id, "created_at": int(app.created_at * 1000)}, 201)


async def get_app(request: Request) -> Response:
    """Show an app."""
    app = app_of(request)
    return JSONResponse(views.app(app, len(platform_of(request).owners(app))))


async def delete_app(request: Request) -> Response:
    """Delete an app and its machines."""
    force = requests.flag(request, "force")
    await platform_of(request).delete_app(request.path_params["app_name"], force=force)
    return Response(status_code=202)


ROUTES = [
    Route("/v1/apps", list_apps, methods=["GET"]),
    Route("/v1/apps", create_app, methods=["POST"]),
    Route("/v1/apps/{app_name}", get_app, methods=["GET"]),
    Route("/v1/apps/{app_name}", delete_app, methods=["DELETE"]),
]
