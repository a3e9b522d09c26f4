"""`/ephemera/testing`: how tests make the platform misbehave. Only there with `--testing`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ephemera.platform import refusals, requests
from ephemera.platform.faults.menu import Fault
from ephemera.platform.faults.orders import Order
from ephemera.platform.faults.stage import Stage
from ephemera.platform.refusals import Refusal
from ephemera.platform.routes.scope import machine_of, ok, owner_only
from ephemera.platform.states import State

#: A clock that is centuries ahead could not be written as a date any more.
_MOVE_MAX_S = 10 * 366 * 24 * 3600.0


class _Move(BaseModel):
    seconds: float = Field(ge=0, le=_MOVE_MAX_S)


async def list_faults(request: Request) -> Response:
    """List the faults, spent ones too, oldest first."""
    return JSONResponse([_shown(fault) for fault in _stage(request).menu.faults()])


async def add_fault(request: Request) -> Response:
    """Put a fault on the menu."""
    order = await requests.model(request, Order)
    return JSONResponse(_shown(_stage(request).menu.add(order)), 201)


async def get_fault(request: Request) -> Response:
    """Show a fault, and how often it has struck."""
    return JSONResponse(_shown(_fault(request)))


async def remove_fault(request: Request) -> Response:
    """Take a fault away; what was stuck for it goes on."""
    _stage(request).menu.remove(_fault(request).id)
    return ok()


async def clear_faults(request: Request) -> Response:
    """Take all faults away."""
    menu = _stage(request).menu
    menu.remove(*(fault.id for fault in menu.faults()))
    return ok()


async def lose_machine(request: Request) -> Response:
    """Have a machine end in a way that nobody saw, as when its host is gone."""
    record = machine_of(request).record
    if record.state is not State.STARTED:
        raise refusals.wrong_state("lose", record.state)
    await _stage(request).lose(record.handle)
    return ok()


async def get_clock(request: Request) -> Response:
    """Show what time it is for the platform."""
    clock = _stage(request).clock
    return JSONResponse({"now": clock(), "ahead_s": clock.ahead_s})


async def move_clock(request: Request) -> Response:
    """Put the platform's clock ahead."""
    move = await requests.model(request, _Move)
    _stage(request).clock.move(move.seconds)
    return await get_clock(request)


def _stage(request: Request) -> Stage:
    stage: Stage = request.app.state.stage
    return stage


def _fault(request: Request) -> Fault:
    fault = _stage(request).menu.get(request.path_params["fault_id"])
    if fault is None:
        raise Refusal(404, "fault not found")
    return fault


def _shown(fault: Fault) -> dict[str, Any]:
    order = fault.order.model_dump(mode="json", exclude_none=True)
    return {"id": fault.id, "hits": fault.hits, **order}


def _owners_route(
    path: str, endpoint: Callable[[Request], Awaitable[Response]], method: str
) -> Route:
    async def for_the_owner(request: Request) -> Response:
        owner_only(request)
        return await endpoint(request)

    return Route("/ephemera/testing" + path, for_the_owner, methods=[method])


ROUTES = [
    _owners_route("/faults", list_faults, "GET"),
    _owners_route("/faults", add_fault, "POST"),
    _owners_route("/faults", clear_faults, "DELETE"),
    _owners_route("/faults/{fault_id}", get_fault, "GET"),
    _owners_route("/faults/{fault_id}", remove_fault, "DELETE"),
    _owners_route("/apps/{app_name}/machines/{machine_id}/lose", lose_machine, "POST"),
    _owners_route("/clock", get_clock, "GET"),
    _owners_route("/clock", move_clock, "POST"),
]
