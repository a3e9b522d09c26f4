"""Is a platform of a state folder running, and how is it doing?

Never starts one, unlike a client's first request.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ephemera.home import Endpoint, read_endpoint, read_token

#: A platform on this computer answers within milliseconds, unless others keep the computer busy;
#: one that is gone is known to be at once.
_ANSWER_TIMEOUT_S = 15.0


@dataclass(frozen=True, slots=True)
class Running:
    """A platform that answered just now."""

    endpoint: Endpoint
    #: How many machines there are in each state.
    machines: Mapping[str, int]


def find_running(folder: Path) -> Running | None:
    """Return the platform of `folder`, or None where none answers.

    It has proved to be that of the folder by taking the folder's token, so another one that
    came to listen on the port of a platform that was killed is not taken for it.
    """
    endpoint, token = read_endpoint(folder), read_token(folder)
    if endpoint is None or token is None:
        return None
    answer = _ask(endpoint, token)
    return Running(endpoint, answer["machines"]) if answer else None


def _ask(endpoint: Endpoint, token: str) -> dict[str, dict[str, int]] | None:
    place = urlsplit(endpoint.url)
    connection = http.client.HTTPConnection(
        place.hostname or "", place.port, timeout=_ANSWER_TIMEOUT_S
    )
    try:
        bearer = {"Authorization": f"Bearer {token}"}
        connection.request("GET", "/ephemera/status", headers=bearer)
        answer = connection.getresponse()
        said = json.loads(answer.read())
    except (OSError, ValueError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    is_ours = answer.status == 200 and isinstance(said, dict) and "machines" in said
    return said if is_ours else None
