"""`/api/v1/apps/{app}/logs`: the log stream of an app, as Fly's own tools read it.

Two things are ours: `wait`, seconds for which the request is held while there is nothing new, and
`ephemera_at_end`, which saves the reader of a whole log the request that would find nothing.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ephemera.platform import refusals, requests, views
from ephemera.platform.logs import Cursor, Wanted
from ephemera.platform.platform import Platform
from ephemera.platform.routes.scope import app_of, platform_of
from ephemera.wire.models import LogEntry

_WAIT_MAX_S = 60


async def read_logs(request: Request) -> Response:
    """Answer the lines after a token; without one the last lines, or all of one machine."""
    platform, app, query = platform_of(request), app_of(request), request.query_params
    wanted = Wanted(query.get("instance", ""), query.get("region", ""))
    wait = requests.integer(request, "wait", 0, 0, _WAIT_MAX_S)
    token = query.get("next_token", "")
    if token:
        begin = _cursor(token)
    elif wanted.machine:
        begin = Cursor.parse(platform.machines.owner(app, wanted.machine).record.log_from)
    else:
        lines, begin = platform.logs.tail(app.id, wanted)
        if lines:
            return _page(platform, app.id, lines, begin)
    lines, end = await platform.logs.more(app.id, begin, wanted, timeout=wait)
    return _page(platform, app.id, lines, end)


def _page(platform: Platform, app_id: str, lines: list[LogEntry], end: Cursor) -> Response:
    at_end = end == platform.logs.end(app_id)
    return JSONResponse(views.log_page(lines, str(end), at_end=at_end))


def _cursor(token: str) -> Cursor:
    try:
        return Cursor.parse(token)
    except ValueError as error:
        raise refusals.invalid(f"next_token: {error}") from None


ROUTES = [Route("/api/v1/apps/{app_name}/logs", read_logs, methods=["GET"])]
