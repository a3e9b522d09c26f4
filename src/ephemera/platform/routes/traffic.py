"""`/ephemera/apps/{app}/addresses` and `/ephemera/proxy/ca`: where apps are served. Ours."""

from __future__ import annotations

from collections.abc import Iterator

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ephemera.platform.platform import Platform
from ephemera.platform.proxy.routing import HTTP_PORT, HTTPS_PORT
from ephemera.platform.proxy.urls import of_app
from ephemera.platform.records import AppRecord
from ephemera.platform.refusals import Refusal
from ephemera.platform.routes.scope import app_of, platform_of
from ephemera.wire.own import AppAddresses, AppPort


async def addresses(request: Request) -> Response:
    """Show where an app is served on this computer."""
    app, platform = app_of(request), platform_of(request)
    ports = [
        AppPort(
            port=one.port,
            internal_port=one.internal_port,
            address=one.address,
            problem=one.problem,
        )
        for one in platform.traffic.ports(app.id)
        if not (one.scheme and one.address)
    ]
    found = AppAddresses(
        urls=list(_urls(platform, app)),
        private_url=f"http://{app.name}.flycast" if platform.networks.are_there else "",
        ports=ports,
    )
    return JSONResponse(found.model_dump())


async def authority(request: Request) -> Response:
    """Show the certificate of the authority that vouches for names of this computer."""
    try:
        certificate = platform_of(request).traffic.authority()
    except (OSError, ValueError) as error:
        raise Refusal(503, f"unavailable: the local authority cannot be used: {error}") from error
    return Response(certificate, media_type="application/x-pem-file")


def _urls(platform: Platform, app: AppRecord) -> Iterator[str]:
    for proxy, port, tls in (
        (platform.proxies.tls, HTTPS_PORT, True),
        (platform.proxies.plain, HTTP_PORT, False),
    ):
        if proxy and platform.traffic.is_served(app.id, port, tls=tls):
            yield of_app(app.name, proxy)
    for one in platform.traffic.ports(app.id):
        if one.scheme and one.address:
            yield of_app(app.name, f"{one.scheme}://{one.address}")


ROUTES = [
    Route("/ephemera/apps/{app_name}/addresses", addresses, methods=["GET"]),
    Route("/ephemera/proxy/ca", authority, methods=["GET"]),
]
