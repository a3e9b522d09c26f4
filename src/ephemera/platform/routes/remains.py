"""`/ephemera/machines/{id}` and `/ephemera/apps/{app}/machines/{id}`: which app a machine is of,
what can be had of it here, and its files. Ours.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from ephemera.errors import BootFailed
from ephemera.platform import refusals
from ephemera.platform.routes.scope import machine_of, platform_of, principal_of


async def locate(request: Request) -> Response:
    """Say which app a machine is of, to whoever may touch it; no other machine is there."""
    app, _ = platform_of(request).machines.located(request.path_params["machine_id"])
    if not principal_of(request).may_touch(app.id):
        raise refusals.machine_not_found()
    return JSONResponse({"app": app.name})


async def what_can_be_had(request: Request) -> Response:
    """Say what `terminal`, `look` and `export` would do with a machine as it is now."""
    owner = machine_of(request)
    return JSONResponse(
        {
            "driver": platform_of(request).driver.name,
            "state": owner.record.state,
            "terminal": owner.inside.has_terminals,
            "look": owner.remains.can_be_looked_at,
            "export": owner.remains.can_be_exported,
            "requests": platform_of(request).traffic.held(owner.record.id),
        }
    )


async def export(request: Request) -> Response:
    """Answer with the file system of a machine as a tar archive, as it is read."""
    owner = machine_of(request)
    try:
        blocks = owner.remains.export()
        first = await anext(blocks, b"")
    except BootFailed as error:
        raise refusals.invalid(error.message) from error
    return StreamingResponse(_all(first, blocks), media_type="application/x-tar")


async def _all(first: bytes, blocks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield all blocks. Where one cannot be read the answer ends without its end mark."""
    yield first
    async for block in blocks:
        yield block


_MACHINE = "/ephemera/apps/{app_name}/machines/{machine_id}"
ROUTES = [
    Route("/ephemera/machines/{machine_id}", locate, methods=["GET"]),
    Route(_MACHINE, what_can_be_had, methods=["GET"]),
    Route(_MACHINE + "/export", export, methods=["GET"]),
]
