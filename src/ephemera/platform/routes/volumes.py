"""`/v1/apps/{app}/volumes`: volumes and their snapshots.

Bodies are read before the app is looked up, so that nothing is made in an app that was deleted
while its request was still coming in.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ephemera.platform import requests
from ephemera.platform.routes.scope import app_of, platform_of, principal_of
from ephemera.platform.volumes import views
from ephemera.platform.volumes.bodies import CreateVolume, ExtendVolume, UpdateVolume
from ephemera.platform.volumes.records import VolumeRecord


async def list_volumes(request: Request) -> Response:
    """List the volumes of an app."""
    volumes = platform_of(request).volumes
    found = volumes.of_app(app_of(request))
    if requests.flag(request, "summary"):
        return JSONResponse([views.volume(volume, None) for volume in found])
    rooms = await volumes.usage.last(volume.id for volume in found)
    return JSONResponse([views.volume(volume, rooms[volume.id]) for volume in found])


async def create_volume(request: Request) -> Response:
    """Make a volume, empty or from what there is."""
    body = await requests.model(request, CreateVolume)
    app_of(request)  # nothing is made ready for an app that is not there
    may_touch = principal_of(request).may_touch
    volumes = platform_of(request).volumes
    async with volumes.sizing.blank(body) as blank:
        volume = volumes.create(app_of(request), body, may_touch, blank)
    return await _shown(request, volume)


async def get_volume(request: Request) -> Response:
    """Show a volume, destroyed ones included."""
    return await _shown(request, _volume_of(request))


async def update_volume(request: Request) -> Response:
    """Change how the snapshots of a volume are made."""
    body = await requests.model(request, UpdateVolume)
    return await _shown(request, platform_of(request).volumes.update(_volume_of(request), body))


async def destroy_volume(request: Request) -> Response:
    """Take a volume away."""
    volume = platform_of(request).volumes.destroy(_volume_of(request))
    return JSONResponse(views.volume(volume, None))


async def extend_volume(request: Request) -> Response:
    """Give a volume a larger size."""
    body = await requests.model(request, ExtendVolume)
    volumes = platform_of(request).volumes
    volume = volumes.extend(_volume_of(request), body.size_gb)
    is_so = await volumes.sizing.settle(volume)
    shown = views.volume(volume, await volumes.usage.now(volume.id))
    return JSONResponse({"volume": shown, "needs_restart": not is_so})


async def list_snapshots(request: Request) -> Response:
    """List the snapshots of a volume, newest first, those of destroyed ones included."""
    found = platform_of(request).volumes.snapshots.of(_volume_of(request))
    return JSONResponse([views.snapshot(snapshot) for snapshot in found])


async def create_snapshot(request: Request) -> Response:
    """Have a snapshot made of what the volume holds now."""
    snapshot = platform_of(request).volumes.snapshots.take(_volume_of(request))
    return JSONResponse(views.snapshot_begun(snapshot))


def _volume_of(request: Request) -> VolumeRecord:
    """Return the volume in the path."""
    return platform_of(request).volumes.one(app_of(request), request.path_params["volume_id"])


async def _shown(request: Request, volume: VolumeRecord) -> Response:
    room = await platform_of(request).volumes.usage.now(volume.id)
    return JSONResponse(views.volume(volume, room))


_VOLUMES = "/v1/apps/{app_name}/volumes"
_VOLUME = _VOLUMES + "/{volume_id}"
ROUTES = [
    Route(_VOLUMES, list_volumes, methods=["GET"]),
    Route(_VOLUMES, create_volume, methods=["POST"]),
    Route(_VOLUME, get_volume, methods=["GET"]),
    Route(_VOLUME, update_volume, methods=["PUT"]),
    Route(_VOLUME, destroy_volume, methods=["DELETE"]),
    Route(_VOLUME + "/extend", extend_volume, methods=["PUT"]),
    Route(_VOLUME + "/snapshots", list_snapshots, methods=["GET"]),
    Route(_VOLUME + "/snapshots", create_snapshot, methods=["POST"]),
]
