"""`/v1/apps/{app}/machines`: the life of machines."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ephemera.platform import configs, refusals, requests, views, waiting
from ephemera.platform.bodies import CreateMachine, Stop, UpdateMachine
from ephemera.platform.happenings import EVENTS_DEFAULT, EVENTS_MAX
from ephemera.platform.leases import check_ttl
from ephemera.platform.machine import Owner
from ephemera.platform.routes.scope import (
    LEASE_OWNER,
    app_of,
    machine_of,
    ok,
    platform_of,
    writable_machine_of,
)
from ephemera.platform.signals import STOP_SIGNALS, signal_number
from ephemera.platform.states import State
from ephemera.wire.models import StopConfig

#: How much longer than the program's grace a restart may take before the call gives up on it.
_RESTART_MARGIN_S = 30.0
_AT_REST_OR_UP = frozenset({State.STARTED, State.STOPPED, State.FAILED})


async def list_machines(request: Request) -> Response:
    """List the machines of an app."""
    platform, app = platform_of(request), app_of(request)
    include_deleted = requests.flag(request, "include_deleted")
    summary = requests.flag(request, "summary")
    leases = platform.leases if requests.flag(request, "include_leases") else None
    return JSONResponse(
        [
            views.machine(
                owner, summary=summary, lease=leases.held(owner.record.id) if leases else None
            )
            for owner in platform.owners(app, include_deleted=include_deleted)
            if _is_listed(owner, request)
        ]
    )


def _is_listed(owner: Owner, request: Request) -> bool:
    record, query = owner.record, request.query_params
    metadata = record.config.get("metadata") or {}
    if query.get("region") not in (None, "", record.region):
        return False
    if query.get("state") and record.state not in query["state"].split(","):
        return False
    return all(
        metadata.get(name.removeprefix("metadata.")) == value
        for name, value in query.items()
        if name.startswith("metadata.")
    )


async def create_machine(request: Request) -> Response:
    """Create a machine and, unless told otherwise, start it."""
    app = app_of(request)
    body = await requests.model(request, CreateMachine)
    platform = platform_of(request)
    owner, lease = platform.create_machine(
        app,
        body.config,
        name=body.name or "",
        region=body.region or "",
        skip_launch=bool(body.skip_launch),
        lease_ttl=body.lease_ttl or 0,
        lease_owner=LEASE_OWNER,
    )
    return JSONResponse(views.machine(owner, nonce=lease.nonce if lease else ""))


async def get_machine(request: Request) -> Response:
    """Show a machine, destroyed ones included."""
    owner = machine_of(request)
    lease = None
    if requests.flag(request, "include_leases"):
        lease = platform_of(request).leases.held(owner.record.id)
    return JSONResponse(views.machine(owner, lease=lease))


async def update_machine(request: Request) -> Response:
    """Replace the version of a machine."""
    body = await requests.model(request, UpdateMachine)
    owner = writable_machine_of(request)  # after the body, which may be long in coming
    platform = platform_of(request)
    if body.lease_ttl:
        check_ttl(body.lease_ttl)
    if body.current_version not in (None, "", owner.record.instance_id):
        raise refusals.changed_meanwhile()
    driver = platform.driver
    config = configs.checked(body.config, driver.capabilities, driver.name)
    owner.ask_update(config, skip_launch=bool(body.skip_launch))
    nonce = ""
    if body.lease_ttl:
        nonce = platform.leases.acquire(
            owner.record,
            ttl=body.lease_ttl,
            description="",
            owner=LEASE_OWNER,
            nonce=requests.nonce(request),
        ).nonce
    return JSONResponse(views.machine(owner, nonce=nonce))


async def destroy_machine(request: Request) -> Response:
    """Take a machine away; `kill` is fly-go's word for `force`."""
    writable_machine_of(request).ask_destroy(force=requests.flag(request, "force", "kill"))
    return ok()


async def start_machine(request: Request) -> Response:
    """Start a machine that rests."""
    previous = writable_machine_of(request).ask_start()
    return JSONResponse({"previous_state": previous, "migrated": False, "new_host": ""})


async def stop_machine(request: Request) -> Response:
    """Have a machine's program end."""
    body = await requests.model(request, Stop, required=False)
    owner = writable_machine_of(request)
    stop = owner.config.stop_config
    signum = signal_number(body.signal, configs.stop_signal(stop), STOP_SIGNALS)
    owner.ask_stop(signum, _grace(body.timeout, stop))
    return ok()


async def restart_machine(request: Request) -> Response:
    """End a machine's program and start it again; answered when it is up."""
    owner = writable_machine_of(request)
    stop = owner.config.stop_config
    default = configs.stop_signal(stop)
    signum = signal_number(request.query_params.get("signal"), default, STOP_SIGNALS)
    grace = _grace(request.query_params.get("timeout"), stop)
    if requests.flag(request, "force_stop"):
        grace = 0.0
    owner.ask_restart(signum, grace)
    await waiting.reach(owner, _AT_REST_OR_UP, "", grace + _RESTART_MARGIN_S)
    return ok()


async def wait_for_machine(request: Request) -> Response:
    """Hold the request until the machine is in a state."""
    owner = machine_of(request)
    query = request.query_params
    wanted = waiting.wanted_states(query.getlist("state"))
    timeout = waiting.timeout_s(query.get("timeout"))
    version = query.get("version") or query.get("instance_id") or ""
    record = await waiting.reach(owner, wanted, version, timeout)
    events = owner.ledger.events()
    return JSONResponse(
        {
            "ok": True,
            "state": record.state,
            "version": record.instance_id,
            "event_id": events[0].id if events else "",
        }
    )


async def list_events(request: Request) -> Response:
    """List the events of a machine, newest first."""
    owner = machine_of(request)
    limit = requests.integer(request, "limit", EVENTS_DEFAULT, 1, EVENTS_MAX)
    return JSONResponse([views.event(one) for one in owner.ledger.events()[:limit]])


def _grace(given: str | int | float | None, stop: StopConfig | None) -> float:
    seconds = requests.duration(given, configs.stop_timeout_s(stop), "timeout")
    if seconds > configs.STOP_TIMEOUT_MAX_S:
        raise refusals.stop_timeout_too_long()
    return seconds


_MACHINES = "/v1/apps/{app_name}/machines"
_MACHINE = _MACHINES + "/{machine_id}"
ROUTES = [
    Route(_MACHINES, list_machines, methods=["GET"]),
    Route(_MACHINES, create_machine, methods=["POST"]),
    Route(_MACHINE, get_machine, methods=["GET"]),
    Route(_MACHINE, update_machine, methods=["POST"]),
    Route(_MACHINE, destroy_machine, methods=["DELETE"]),
    Route(_MACHINE + "/start", start_machine, methods=["POST"]),
    Route(_MACHINE + "/stop", stop_machine, methods=["POST"]),
    Route(_MACHINE + "/restart", restart_machine, methods=["POST"]),
    Route(_MACHINE + "/wait", wait_for_machine, methods=["GET"]),
    Route(_MACHINE + "/events", list_events, methods=["GET"]),
]
