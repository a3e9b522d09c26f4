"""What every endpoint begins with: the platform, the app and the machine it is about."""

from __future__ import annotations

from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse

from ephemera.platform import refusals, requests
from ephemera.platform.access.principal import Principal
from ephemera.platform.machines.owner import Owner
from ephemera.platform.platform import Platform
from ephemera.platform.records import AppRecord
from ephemera.platform.states import State


def platform_of(request: HTTPConnection) -> Platform:
    """Return the platform that serves the request."""
    platform: Platform = request.app.state.platform
    return platform


def principal_of(request: HTTPConnection) -> Principal:
    """Return who sends the request."""
    principal: Principal = request.state.principal
    return principal


def app_of(request: HTTPConnection) -> AppRecord:
    """Return the app in the path.

    Raises:
        Refusal: there is none (404), or it is not for the sender of the request (403).
    """
    app = platform_of(request).apps.named(request.path_params["app_name"])
    if not principal_of(request).may_touch(app.id):
        raise refusals.unauthorized()
    return app


def owner_only(request: HTTPConnection) -> None:
    """Let only the owner of the platform pass.

    Raises:
        Refusal: the token is for less than the whole platform (403).
    """
    if not principal_of(request).is_owner:
        raise refusals.unauthorized()


def machine_of(request: HTTPConnection) -> Owner:
    """Return the owner of the machine in the path."""
    return platform_of(request).machines.owner(app_of(request), request.path_params["machine_id"])


def living_machine_of(request: Request) -> Owner:
    """Return the owner of the machine in the path, if it is not destroyed.

    Raises:
        Refusal: it is, or never was (404).
    """
    owner = machine_of(request)
    if owner.record.state is State.DESTROYED:
        raise refusals.machine_not_found()
    return owner


def writable_machine_of(request: Request) -> Owner:
    """Return the owner of the machine in the path, if no lease of somebody else forbids it."""
    owner = machine_of(request)
    platform_of(request).leases.check(owner.record.id, requests.nonce(request))
    return owner


def ok() -> JSONResponse:
    """Return the answer of the calls that only say that they were done."""
    return JSONResponse({"ok": True})
