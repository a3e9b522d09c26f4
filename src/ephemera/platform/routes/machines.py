"""`/v1/apps/{app}/machines`: machines, from creation to destruction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ephemera.platform import refusals, requests, views
from ephemera.platform.bodies import CreateMachine, UpdateMachine
from ephemera.platform.machines.creation import Wish
from ephemera.platform.machines.leases import check_ttl
from ephemera.platform.machines.owner import Owner
from ephemera.platform.records import AppRecord, MachineRecord
from ephemera.platform.routes.scope import (
    app_of,
    machine_of,
    ok,
    platform_of,
    principal_of,
    writable_machine_of,
)


async def list_machines(request: Request) -> Response:
    """List the machines of an app."""
    platform, app = platform_of(request), app_of(request)
    include_deleted = requests.flag(request, "include_deleted")
    summary = requests.flag(request, "summary")
    leases = platform.leases if requests.flag(request, "include_leases") else None
    is_listed = _filter(request)
    return JSONResponse(
        [
            views.machine(
                owner,
                platform.address(owner.record),
                summary=summary,
                lease=leases.held(owner.record.id) if leases else None,
            )
            for owner in platform.machines.owners(app, include_deleted=include_deleted)
            if is_listed(owner.record)
        ]
    )


def _filter(request: Request) -> Callable[[MachineRecord], bool]:
    """Return which machines the query asks for. A region or state that is none finds none."""
    query = request.query_params
    regions = set(filter(None, query.get("region", "").split(",")))
    states = set(filter(None, query.get("state", "").split(",")))
    wanted = {
        (name.removeprefix("metadata."), value)
        for name, value in query.multi_items()
        if name.startswith("metadata.")
    }

    def is_listed(record: MachineRecord) -> bool:
        if regions and record.region not in regions:
            return False
        if states and record.state not in states:
            return False
        return not wanted or wanted <= (record.config.get("metadata") or {}).items()

    return is_listed


async def create_machine(request: Request) -> Response:
    """Create a machine and, unless told otherwise, start it."""
    app = app_of(request)
    body = await requests.model(request, CreateMachine)
    wish = Wish(
        name=body.name or "",
        region=body.region or "",
        skip_launch=bool(body.skip_launch),
        cordoned=bool(body.skip_service_registration),
        lease_ttl=body.lease_ttl or 0,
        lease_owner=principal_of(request).lease_owner,
        secrets_version=_secrets_version(request, app, body),
    )
    platform = platform_of(request)
    platform.registry.check_sight(body.config.image or "", principal_of(request).may_touch)
    owner, lease = platform.creation.create(app, body.config, wish)
    nonce = lease.nonce if lease else ""
    return JSONResponse(views.machine(owner, platform.address(owner.record), nonce=nonce))


async def get_machine(request: Request) -> Response:
    """Show a machine, destroyed ones included."""
    platform, owner = platform_of(request), machine_of(request)
    lease = None
    if requests.flag(request, "include_leases"):
        lease = platform.leases.held(owner.record.id)
    return JSONResponse(views.machine(owner, platform.address(owner.record), lease=lease))


async def update_machine(request: Request) -> Response:
    """Replace the version of a machine."""
    body = await requests.model(request, UpdateMachine)
    owner = writable_machine_of(request)  # after the body, which may be long in coming
    platform = platform_of(request)
    if body.lease_ttl:
        check_ttl(body.lease_ttl)
    _check_unchanged(owner, body)
    if body.config.image != owner.record.config["image"]:  # that one somebody was allowed
        platform.registry.check_sight(body.config.image or "", principal_of(request).may_touch)
    config = platform.creation.checked(app_of(request), body.config, owner.record.id)
    platform.volumes.mounting.check_unchanged(owner.record.config, config)
    changes: dict[str, Any] = {"secrets_version": _secrets_version(request, app_of(request), body)}
    if body.skip_service_registration:
        changes["cordoned"] = True
    owner.ask_update(config, skip_launch=bool(body.skip_launch), **changes)
    nonce = ""
    if body.lease_ttl:
        nonce = platform.leases.acquire(
            owner.record,
            ttl=body.lease_ttl,
            description="",
            owner=principal_of(request).lease_owner,
            nonce=requests.nonce(request),
        ).nonce
    return JSONResponse(views.machine(owner, platform.address(owner.record), nonce=nonce))


def _check_unchanged(owner: Owner, body: UpdateMachine) -> None:
    """Let an update pass that is of the current version and leaves alone what never changes.

    A region is not compared: what a machine was created with may be an expression.
    """
    record = owner.record
    if body.current_version not in (None, "", record.instance_id):
        raise refusals.changed_meanwhile()
    if body.name not in (None, "", record.name):
        raise refusals.invalid(
            f"name {body.name[:80]!r}: the name of a machine, {record.name}, never changes"
        )


def _secrets_version(request: Request, app: AppRecord, body: CreateMachine | UpdateMachine) -> int:
    """Return which version of the app's secrets a machine is to see from now on."""
    secrets, at_least = platform_of(request).secrets, body.min_secrets_version or 0
    return secrets.pinned(app.id, at_least=at_least, skip=bool(body.skip_secrets))


async def destroy_machine(request: Request) -> Response:
    """Take a machine away; `kill` is fly-go's word for `force`."""
    writable_machine_of(request).ask_destroy(force=requests.flag(request, "force", "kill"))
    return ok()


_MACHINES = "/v1/apps/{app_name}/machines"
_MACHINE = _MACHINES + "/{machine_id}"
ROUTES = [
    Route(_MACHINES, list_machines, methods=["GET"]),
    Route(_MACHINES, create_machine, methods=["POST"]),
    Route(_MACHINE, get_machine, methods=["GET"]),
    Route(_MACHINE, update_machine, methods=["POST"]),
    Route(_MACHINE, destroy_machine, methods=["DELETE"]),
]
