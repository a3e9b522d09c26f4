"""`/v1/platform`: the regions there are, and what they have room for."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ephemera.platform import requests
from ephemera.platform.edge import placements, views
from ephemera.platform.edge.placements import PlacementsRequest, Room
from ephemera.platform.routes.scope import platform_of


async def list_regions(request: Request) -> Response:
    """List the regions."""
    return JSONResponse(views.regions(platform_of(request).settings.regions))


async def get_placements(request: Request) -> Response:
    """Say where as many machines as asked for would go; nothing is made."""
    wanted = await requests.model(request, PlacementsRequest)
    platform = platform_of(request)
    room = Room.of_this_computer(platform.home)
    return JSONResponse(placements.place(wanted, platform.settings.regions, room))


ROUTES = [
    Route("/v1/platform/regions", list_regions, methods=["GET"]),
    Route("/v1/platform/placements", get_placements, methods=["POST"]),
]
