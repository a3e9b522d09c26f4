"""`.../wait`, `.../events`, `.../versions`: what a machine is coming to, and what it was."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ephemera.platform import requests, views
from ephemera.platform.machines import waiting
from ephemera.platform.machines.happenings import EVENTS_DEFAULT, EVENTS_MAX
from ephemera.platform.machines.waiting import Wanted
from ephemera.platform.routes.holding import while_connected
from ephemera.platform.routes.scope import machine_of, platform_of


async def wait_for_machine(request: Request) -> Response:
    """Hold the request until the machine is in a state."""
    owner = machine_of(request)
    query = request.query_params
    wanted = Wanted(
        waiting.wanted_states(query.getlist("state")),
        version=query.get("version") or query.get("instance_id") or "",
        after=query.get("from_event_id") or "",
    )
    timeout = waiting.timeout_s(query.get("timeout"))
    waiting.check(wanted, owner.ledger, platform_of(request).versions)
    reached = await while_connected(request, waiting.reach(owner, wanted, timeout))
    return JSONResponse(
        {
            "ok": True,
            "state": reached.state,
            "version": reached.version,
            "event_id": reached.event_id,
        }
    )


async def list_events(request: Request) -> Response:
    """List the events of a machine, newest first."""
    owner = machine_of(request)
    limit = requests.integer(request, "limit", EVENTS_DEFAULT, 1, EVENTS_MAX)
    return JSONResponse([views.event(one) for one in owner.ledger.events()[:limit]])


async def list_versions(request: Request) -> Response:
    """List the versions of a machine, newest first."""
    found = platform_of(request).versions.of(machine_of(request).record.id)
    return JSONResponse([{"version": one.version, "user_config": one.config} for one in found])


_MACHINE = "/v1/apps/{app_name}/machines/{machine_id}"
ROUTES = [
    Route(_MACHINE + "/wait", wait_for_machine, methods=["GET"]),
    Route(_MACHINE + "/events", list_events, methods=["GET"]),
    Route(_MACHINE + "/versions", list_versions, methods=["GET"]),
]
