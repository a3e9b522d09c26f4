"""`.../certificates`: the host names of an app and their TLS certificates."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ephemera.platform import refusals, requests
from ephemera.platform.edge import certificate_views as views
from ephemera.platform.edge.certificates import (
    PAGE_ROWS,
    PAGE_ROWS_MAX,
    RequestCertificate,
    UploadCertificate,
)
from ephemera.platform.edge.records import CertificateRecord
from ephemera.platform.routes.scope import app_of, platform_of


async def list_certificates(request: Request) -> Response:
    """List the host names of an app."""
    platform, app, query = platform_of(request), app_of(request), request.query_params
    limit = requests.integer(request, "limit", PAGE_ROWS, 1, PAGE_ROWS_MAX)
    found = platform.certificates.page(app, query.get("filter", ""), query.get("cursor", ""), limit)
    return JSONResponse(views.page(found, platform.clock()))


async def upload_certificate(request: Request) -> Response:
    """Keep a certificate for a host name."""
    body = await requests.model(request, UploadCertificate)
    record = await platform_of(request).certificates.upload(app_of(request), body)
    return _shown(request, record, 201)


async def request_certificate(request: Request) -> Response:
    """Refuse: no authority is asked for certificates."""
    app_of(request)
    await requests.model(request, RequestCertificate)
    raise refusals.acme_unavailable()


async def get_certificate(request: Request) -> Response:
    """Show a host name."""
    return _shown(request, _record_of(request))


async def check_certificate(request: Request) -> Response:
    """Show a host name and where it leads."""
    platform, app = platform_of(request), app_of(request)
    held = platform.addresses.of(app)
    return JSONResponse(views.check(_record_of(request), app, held, platform.clock()))


async def delete_certificate(request: Request) -> Response:
    """Forget a host name."""
    platform_of(request).certificates.remove(app_of(request), request.path_params["hostname"])
    return Response(status_code=204)


async def delete_acme(request: Request) -> Response:
    """Forget what authorities issued for a host name, which is nothing. Repeating is safe."""
    return _shown(request, _record_of(request))


async def delete_custom(request: Request) -> Response:
    """Forget the certificate that was uploaded for a host name."""
    platform, app = platform_of(request), app_of(request)
    record = platform.certificates.remove_custom(app, request.path_params["hostname"])
    held = platform.addresses.of(app)
    return JSONResponse(views.removed(record, app, held, platform.clock()))


def _record_of(request: Request) -> CertificateRecord:
    hostname = request.path_params["hostname"]
    return platform_of(request).certificates.get(app_of(request), hostname)


def _shown(request: Request, record: CertificateRecord, status: int = 200) -> Response:
    platform, app = platform_of(request), app_of(request)
    held = platform.addresses.of(app)
    return JSONResponse(views.detail(record, app, held, platform.clock()), status)


_CERTIFICATES = "/v1/apps/{app_name}/certificates"
_CERTIFICATE = _CERTIFICATES + "/{hostname}"
ROUTES = [
    Route(_CERTIFICATES, list_certificates, methods=["GET"]),
    Route(_CERTIFICATES + "/acme", request_certificate, methods=["POST"]),
    Route(_CERTIFICATES + "/custom", upload_certificate, methods=["POST"]),
    Route(_CERTIFICATE, get_certificate, methods=["GET"]),
    Route(_CERTIFICATE, delete_certificate, methods=["DELETE"]),
    Route(_CERTIFICATE + "/check", check_certificate, methods=["POST"]),
    Route(_CERTIFICATE + "/acme", delete_acme, methods=["DELETE"]),
    Route(_CERTIFICATE + "/custom", delete_custom, methods=["DELETE"]),
]
