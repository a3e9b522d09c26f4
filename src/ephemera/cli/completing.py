"""What the Tab key completes: apps, machines and volumes of a platform on this computer that runs.

Nobody waits for a shell: what is not known in a moment is not completed, and nothing is started.
"""

from __future__ import annotations

import json
import os
from typing import Any
from urllib.parse import urlsplit

import typer

#: An answer takes some milliseconds. Longer ones would be felt: the command takes a tenth of a
#: second to start before it asks.
_ANSWER_TIMEOUT_S = 0.15


def apps(incomplete: str) -> list[str]:
    """Return the names of apps that begin so."""
    found = _listed("/v1/apps?org_slug=personal", "apps")
    return [one["name"] for one in found if one["name"].startswith(incomplete)]


def machines(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Return the ids of machines that begin so, and what they are; of the app, if one is named."""
    found = _listed("/v1/orgs/personal/machines?summary=true", "machines")
    return [(one["id"], _shown(one)) for one in _wanted(found, context, incomplete)]


def volumes(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Return the ids of volumes that begin so, and what they are; of the app, if one is named."""
    found = _listed("/v1/orgs/personal/volumes?summary=true", "volumes")
    return [(one["id"], _shown(one)) for one in _wanted(found, context, incomplete)]


def _wanted(
    found: list[dict[str, Any]], context: typer.Context, incomplete: str
) -> list[dict[str, Any]]:
    app = context.params.get("app")
    return [
        one for one in found if one["id"].startswith(incomplete) and app in (None, one["app_name"])
    ]


def _shown(one: dict[str, Any]) -> str:
    return f"{one['name']} of {one['app_name']}, {one['state']}"


def _listed(path: str, key: str) -> list[dict[str, Any]]:
    """Return a list that the platform answers with; empty where there is none."""
    import http.client

    from ephemera.errors import EphemeraError

    try:
        place = _place()
        found = _asked(*place, path)[key] if place else []
    except (OSError, ValueError, LookupError, http.client.HTTPException, EphemeraError):
        return []
    return list(found)


def _place() -> tuple[str, str] | None:
    """Return the base URL and the `Authorization` of a platform on this computer, or None."""
    from ephemera.client.settings import choose, embedded, is_loopback
    from ephemera.home import home, read_endpoint

    address = choose(None, None, os.environ, home())
    endpoint = None if address else read_endpoint(home())
    if endpoint:
        address = embedded(endpoint.url, home(), os.environ)
    if address is None or address.socket or not is_loopback(address.url):
        return None
    return address.url, address.authorization


def _asked(url: str, authorization: str, path: str) -> Any:
    import http.client

    place = urlsplit(url)
    connection = http.client.HTTPConnection(
        place.hostname or "", place.port, timeout=_ANSWER_TIMEOUT_S
    )
    try:
        connection.request("GET", path, headers={"Authorization": authorization})
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()
