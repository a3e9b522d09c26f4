"""What the Tab key completes: apps, machines and volumes of the embedded platform, if it runs.

Nobody waits for long for a shell: what is not known soon is not completed, and nothing is started.
"""

from __future__ import annotations

import json
import os
from typing import Any
from urllib.parse import urlsplit

import typer

#: An answer takes some milliseconds, and where nobody listens it is known at once. On a computer
#: that is busy it takes longer, and whoever presses the key would rather wait than see nothing.
_ANSWER_TIMEOUT_S = 2.0
#: Where one of these is set, commands may go to another API than that of the state folder.
_ELSEWHERE = ("FLY_API_TOKEN", "FLY_FLAPS_BASE_URL", "EPHEMERA_URL", "FLY_MACHINE_ID")


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

    from ephemera.errors import ConfigError
    from ephemera.home import home, read_endpoint, read_token

    if any(os.environ.get(name) for name in _ELSEWHERE):
        return []
    try:
        endpoint, token = read_endpoint(home()), read_token(home())
        found = _asked(endpoint.url, token, path)[key] if endpoint and token else []
    except (OSError, ValueError, LookupError, http.client.HTTPException, ConfigError):
        return []
    return list(found)


def _asked(url: str, token: str, path: str) -> Any:
    """Return what a platform answers. The client would do that too, but takes longer to import."""
    import http.client

    place = urlsplit(url)
    connection = http.client.HTTPConnection(
        place.hostname or "", place.port, timeout=_ANSWER_TIMEOUT_S
    )
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()
