"""`/api/v1/apps/{app}/logs`: the log stream of an app, as Fly's own tools read it.

`wait` is ours: seconds for which the request is held while there is nothing new.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ephemera.platform import refusals, requests, views
from ephemera.platform.logs import Cursor, Wanted
from ephemera.platform.routes.scope import app_of, platform_of

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
        begin = Cursor.parse(platform.owner(app, wanted.machine).record.log_from)
    else:
        lines, begin = platform.logs.tail(app.id, wanted)
        if lines:
            return JSONResponse(views.log_page(lines, str(begin)))
    lines, end = await platform.logs.more(app.id, begin, wanted, timeout=wait)
    return JSONResponse(views.log_page(lines, str(end)))


def _cursor(token: str) -> Cursor:
    try:
        return Cursor.parse(token)
    except ValueError as error:
        raise refusals.invalid(f"next_token: {error}") from None


ROUTES = [Route("/api/v1/apps/{app_name}/logs", read_logs, methods=["GET"])]
