"""`/v1/orgs/{org}`: what an organisation has, over all of its apps."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ephemera.platform import cursors, orgs, refusals, requests
from ephemera.platform.logs import timestamp
from ephemera.platform.orgs import PAGE_ROWS_MAX, Page, Place, RowT, Wanted
from ephemera.platform.records import AppRecord
from ephemera.platform.routes.scope import platform_of, principal_of
from ephemera.platform.views import overview
from ephemera.platform.volumes import views

_RFC_3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
#: What is longer is no number of rows.
_LIMIT_MAX = 10**9 - 1


async def list_machines(request: Request) -> Response:
    """List machines of all apps; those of apps that are not for the sender are left out."""
    summary = requests.flag(request, "summary")
    include_deleted = requests.flag(request, "include_deleted")
    platform, apps = platform_of(request), _apps(request)
    found = platform.machines.page(
        list(apps.values()), _wanted(request), include_deleted=include_deleted
    )
    shown = [
        overview(one, apps[one.app_id], platform.address(one), summary=summary)
        for one in found.rows
    ]
    body = {"machines": shown, **_end(found, "last_machine_id"), "error_regions": []}
    return JSONResponse(body)


async def list_volumes(request: Request) -> Response:
    """List volumes of all apps; those of apps that are not for the sender are left out."""
    summary = requests.flag(request, "summary")
    include_deleted = requests.flag(request, "include_deleted")
    apps, volumes = _apps(request), platform_of(request).volumes
    every = volumes.all(include_deleted=include_deleted)
    found = orgs.page((one for one in every if one.app_id in apps), _wanted(request))
    rooms = {} if summary else await volumes.usage.last(one.id for one in found.rows)
    shown = [views.listed(one, apps[one.app_id].name, rooms.get(one.id)) for one in found.rows]
    return JSONResponse({"volumes": shown, **_end(found, "last_volume_id")})


def _apps(request: Request) -> dict[str, AppRecord]:
    """Return the apps of the organisation that the sender may see, by their ids."""
    apps = platform_of(request).apps.of_org(request.path_params["org_slug"])
    return {app.id: app for app in apps if principal_of(request).may_touch(app.id)}


def _wanted(request: Request) -> Wanted:
    query = request.query_params
    limit = requests.integer(request, "limit", PAGE_ROWS_MAX, 1, _LIMIT_MAX)
    states = (state for text in query.getlist("state") for state in text.split(","))
    return Wanted(
        after=_after(query.get("cursor", ""), query.get("updated_after", "")),
        limit=min(limit, PAGE_ROWS_MAX),  # more is no error: the document calls it advisory
        region=query.get("region", ""),
        states=frozenset(state for state in states if state),
    )


def _after(cursor: str, updated_after: str) -> Place:
    """Return where the page begins; a cursor counts more than a time."""
    if cursor:
        updated_at, row_id = cursors.read(cursor, float, str)
        return updated_at, row_id
    return orgs.place_after(_moment(updated_after)) if updated_after else orgs.START


def _moment(text: str) -> datetime:
    try:
        if _RFC_3339.fullmatch(text):
            return datetime.fromisoformat(text.upper())
    except ValueError:
        pass  # such as the 30th of February
    raise refusals.invalid(f"updated_after={text[:40]!r} is not a time such as RFC 3339 has it")


def _end(found: Page[RowT], id_key: str) -> dict[str, Any]:
    last = found.rows[-1] if found.rows else None
    return {
        "next_cursor": found.next_cursor,
        id_key: last.id if last else "",
        "last_updated_at": timestamp(last.updated_at) if last else "",
    }


ROUTES = [
    Route("/v1/orgs/{org_slug}/machines", list_machines, methods=["GET"]),
    Route("/v1/orgs/{org_slug}/volumes", list_volumes, methods=["GET"]),
]
