"""What every endpoint begins with: the platform, the app and the machine it is about."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse

from ephemera.platform import requests
from ephemera.platform.machine import Owner
from ephemera.platform.platform import Platform
from ephemera.platform.records import AppRecord

#: Who holds the leases that are asked for with the platform's one token.
LEASE_OWNER = "owner@ephemera.local"


def platform_of(request: Request) -> Platform:
    """Return the platform that serves the request."""
    platform: Platform = request.app.state.platform
    return platform


def app_of(request: Request) -> AppRecord:
    """Return the app in the path."""
    return platform_of(request).app(request.path_params["app_name"])


def machine_of(request: Request) -> Owner:
    """Return the owner of the machine in the path."""
    return platform_of(request).owner(app_of(request), request.path_params["machine_id"])


def writable_machine_of(request: Request) -> Owner:
    """Return the owner of the machine in the path, if no lease of somebody else forbids it."""
    owner = machine_of(request)
    platform_of(request).leases.check(owner.record.id, requests.nonce(request))
    return owner


def ok() -> JSONResponse:
    """Return the answer of the calls that only say that they were done."""
    return JSONResponse({"ok": True})
