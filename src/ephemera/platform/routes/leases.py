"""`.../lease`: who alone may change a machine."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ephemera.platform import refusals, requests, views
from ephemera.platform.bodies import AcquireLease
from ephemera.platform.machines.leases import DEFAULT_TTL_S, TTL_MAX_S
from ephemera.platform.routes.scope import (
    living_machine_of,
    machine_of,
    platform_of,
    principal_of,
)


async def get_lease(request: Request) -> Response:
    """Show the lease of a machine; its nonce only to the one who took it."""
    lease = platform_of(request).leases.held(machine_of(request).record.id)
    if lease is None:
        raise refusals.lease_not_found()
    is_theirs = lease.owner == principal_of(request).lease_owner
    return JSONResponse(views.lease(lease, with_nonce=is_theirs))


async def acquire_lease(request: Request) -> Response:
    """Acquire the lease, or refresh it with its nonce."""
    body = await requests.model(request, AcquireLease, required=False)
    owner = living_machine_of(request)
    ttl = requests.integer(request, "ttl", DEFAULT_TTL_S, 1, TTL_MAX_S)
    lease = platform_of(request).leases.acquire(
        owner.record,
        ttl=ttl if body.ttl is None else body.ttl,
        description=body.description or "",
        owner=principal_of(request).lease_owner,
        nonce=requests.nonce(request),
    )
    return JSONResponse(views.lease(lease, with_nonce=True), 201)


async def release_lease(request: Request) -> Response:
    """Give the lease back."""
    machine_id = machine_of(request).record.id
    platform_of(request).leases.release(machine_id, requests.nonce(request))
    return JSONResponse({"status": "success", "data": {"ok": True}})


_LEASE = "/v1/apps/{app_name}/machines/{machine_id}/lease"
ROUTES = [
    Route(_LEASE, get_lease, methods=["GET"]),
    Route(_LEASE, acquire_lease, methods=["POST"]),
    Route(_LEASE, release_lease, methods=["DELETE"]),
]
