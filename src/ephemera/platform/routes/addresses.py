"""`.../ip_assignments`: the addresses of an app."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ephemera.platform import requests
from ephemera.platform.edge import views
from ephemera.platform.edge.addresses import AssignIp
from ephemera.platform.routes.scope import app_of, platform_of


async def list_addresses(request: Request) -> Response:
    """List the addresses of an app."""
    held = platform_of(request).addresses.of(app_of(request))
    return JSONResponse({"ips": [views.address(one) for one in held]})


async def assign_address(request: Request) -> Response:
    """Give an app an address."""
    body = await requests.model(request, AssignIp)
    platform = platform_of(request)
    address = platform.addresses.assign(app_of(request), body)
    platform.traffic.addresses_changed()
    return JSONResponse(views.address(address))


async def release_address(request: Request) -> Response:
    """Take an address from an app."""
    platform = platform_of(request)
    platform.addresses.release(app_of(request), request.path_params["ip"])
    platform.traffic.addresses_changed()
    return Response(status_code=204)


_ADDRESSES = "/v1/apps/{app_name}/ip_assignments"
ROUTES = [
    Route(_ADDRESSES, list_addresses, methods=["GET"]),
    Route(_ADDRESSES, assign_address, methods=["POST"]),
    Route(_ADDRESSES + "/{ip}", release_address, methods=["DELETE"]),
]
