"""`.../ps` and `.../memory`: what the programs of a machine use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ephemera.platform import requests
from ephemera.platform.bodies import ReclaimMemory, SetMemoryLimit
from ephemera.platform.drivers.base import Memory, ProcessStat
from ephemera.platform.routes.scope import machine_of

#: What `sort_by` may name. By `pid` where it is not given.
_KEYS: dict[str, Callable[[ProcessStat], Any]] = {
    "pid": lambda one: one.pid,
    "command": lambda one: one.command,
    "directory": lambda one: one.directory,
    "cpu": lambda one: one.cpu,
    "rss": lambda one: one.rss,
    "rtime": lambda one: one.rtime,
    "stime": lambda one: one.stime,
}
_ORDERS = ("asc", "desc")


async def list_processes(request: Request) -> Response:
    """List the processes of a machine that is started."""
    owner = machine_of(request)
    sort_by = requests.choice(request, "sort_by", "pid", tuple(_KEYS))
    order = requests.choice(request, "order", "asc", _ORDERS)
    listed = sorted(await owner.inside.ps(), key=_KEYS[sort_by], reverse=order == "desc")
    return JSONResponse([_process(one) for one in listed])


async def get_memory(request: Request) -> Response:
    """Show how much memory a machine may use, and how much of that it does not."""
    return JSONResponse(_memory(await machine_of(request).inside.memory()))


async def set_memory(request: Request) -> Response:
    """Limit the memory of a machine until it ends."""
    owner = machine_of(request)
    body = await requests.model(request, SetMemoryLimit)
    return JSONResponse(_memory(await owner.inside.limit_memory(body.limit_mb)))


async def reclaim_memory(request: Request) -> Response:
    """Take memory back that a machine does not need."""
    owner = machine_of(request)
    body = await requests.model(request, ReclaimMemory)
    return JSONResponse({"actual_mb": await owner.inside.reclaim_memory(body.amount_mb)})


def _process(one: ProcessStat) -> dict[str, Any]:
    return {
        "pid": one.pid,
        "command": one.command,
        "directory": one.directory,
        "cpu": one.cpu,
        "rss": one.rss,
        "rtime": one.rtime,
        "stime": one.stime,
        "listen_sockets": _sockets(one),
    }


def _sockets(one: ProcessStat) -> Sequence[dict[str, str]]:
    return [{"proto": open_.proto, "address": open_.address} for open_ in one.listen_sockets]


def _memory(memory: Memory) -> dict[str, int]:
    return {"limit_mb": memory.limit_mb, "available_mb": memory.available_mb}


_MACHINE = "/v1/apps/{app_name}/machines/{machine_id}"
ROUTES = [
    Route(_MACHINE + "/ps", list_processes, methods=["GET"]),
    Route(_MACHINE + "/memory", get_memory, methods=["GET"]),
    Route(_MACHINE + "/memory", set_memory, methods=["PUT"]),
    Route(_MACHINE + "/memory/reclaim", reclaim_memory, methods=["POST"]),
]
