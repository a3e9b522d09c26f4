"""`/v1/apps`: apps."""

from __future__ import annotations

from collections import Counter
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ephemera.platform import refusals, requests
from ephemera.platform.apps import views
from ephemera.platform.bodies import CreateApp
from ephemera.platform.platform import Platform
from ephemera.platform.records import AppRecord
from ephemera.platform.routes.scope import app_of, owner_only, platform_of, principal_of

_DEFAULT_ORG = "personal"


async def list_apps(request: Request) -> Response:
    """List the apps of an organisation; apps have no role here, so that none has any."""
    platform, principal = platform_of(request), principal_of(request)
    org_slug = request.query_params.get("org_slug") or _DEFAULT_ORG
    role = request.query_params.get("app_role")
    apps = [] if role else platform.apps.of_org(org_slug)
    volumes = Counter(volume.app_id for volume in platform.volumes.all())
    shown = [_shown(platform, app, volumes[app.id]) for app in apps if principal.may_touch(app.id)]
    return JSONResponse({"total_apps": len(shown), "apps": shown})


async def create_app(request: Request) -> Response:
    """Create an app."""
    owner_only(request)
    body = await requests.model(request, CreateApp)
    name = body.name or body.app_name
    if not name:
        raise refusals.invalid("name is required")
    org_slug = body.org_slug or _DEFAULT_ORG
    app = platform_of(request).apps.create(name, org_slug, body.network or "")
    return JSONResponse({"id": app.id, "created_at": int(app.created_at * 1000)}, 201)


async def get_app(request: Request) -> Response:
    """Show an app."""
    platform, app = platform_of(request), app_of(request)
    return JSONResponse(_shown(platform, app, platform.volumes.count(app)))


async def delete_app(request: Request) -> Response:
    """Delete an app and all that it has."""
    force = requests.flag(request, "force")
    await platform_of(request).delete_app(app_of(request).name, force=force)
    return Response(status_code=202)


def _shown(platform: Platform, app: AppRecord, volume_count: int) -> dict[str, Any]:
    states = [owner.record.state for owner in platform.machines.owners(app)]
    return views.app(app, states, volume_count)


ROUTES = [
    Route("/v1/apps", list_apps, methods=["GET"]),
    Route("/v1/apps", create_app, methods=["POST"]),
    Route("/v1/apps/{app_name}", get_app, methods=["GET"]),
    Route("/v1/apps/{app_name}", delete_app, methods=["DELETE"]),
]
