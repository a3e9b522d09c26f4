"""`/ephemera/apps/{app}/network` and `/ephemera/reach`: private networks, and how machines get out
of them. Ours.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ephemera.platform import refusals, requests
from ephemera.platform.edge import networks
from ephemera.platform.records import AppRecord
from ephemera.platform.routes.scope import app_of, owner_only, platform_of
from ephemera.wire.own import NetworkChange


async def show(request: Request) -> Response:
    """Show the private network of an app."""
    return _shown(app_of(request))


async def change(request: Request) -> Response:
    """Let the machines of an app's network reach the world outside, or not."""
    owner_only(request)
    body = await requests.model(request, NetworkChange)
    app, platform = app_of(request), platform_of(request)
    if not body.outside and not platform.driver.capabilities.private_network:
        raise refusals.unsupported(
            f"a network without a way out: the driver '{platform.driver.name}' has no private"
            " networks, use 'container'"
        )
    await platform.networks.set_outside(app, outside=body.outside)
    return _shown(platform.apps.named(app.name))


async def reach(request: Request) -> Response:
    """Say at which address the machines of this platform reach this computer."""
    return JSONResponse({"host": platform_of(request).networks.host_address})


def _shown(app: AppRecord) -> Response:
    return JSONResponse(
        {
            "network": app.network or networks.DEFAULT_NETWORK,
            "prefix": str(networks.of_app(app)),
            "outside": app.outside,
        }
    )


ROUTES = [
    Route("/ephemera/apps/{app_name}/network", show, methods=["GET"]),
    Route("/ephemera/apps/{app_name}/network", change, methods=["PUT"]),
    Route("/ephemera/reach", reach, methods=["GET"]),
]
