"""What may be done without a token: by everybody, and by a machine through its own socket.

What a machine may do is a list of what is allowed, so that an endpoint which is added is none of
it. That the app in a path is the machine's own is checked where the app is looked up.
"""

from __future__ import annotations

import re

#: What is shown to be true in itself: who answers here, the keys that identity tokens are
#: verified with, and the two calls whose body holds the token that is asked about.
_PUBLIC = re.compile(r"(GET|HEAD) /(oidc/.*)?|POST /v1/tokens/(authenticate|authorize)", re.DOTALL)

#: A machine may read its app and the machines in it; not leases, which show what unlocks them.
_READS = re.compile(
    r"/v1/apps/[^/]+(/machines(/[^/]+(/(wait|events|versions|ps|memory|metadata(/[^/]+)?))?)?)?"
    r"|/api/v1/apps/[^/]+/logs|/v1/tokens/current|/v1/platform/regions"
)
#: What it may do to itself: end, rest, come back, and label itself.
_CHANGES_ITSELF = re.compile(
    r"/v1/apps/[^/]+/machines/([^/]+)"
    r"/(start|stop|suspend|restart|signal|cordon|uncordon|metadata(/[^/]+)?)"
)
_ASKS_FOR_ITSELF = {"/v1/tokens/oidc", "/v1/tokens/kms"}


def everybody_may(method: str, path: str) -> bool:
    """Whether a request needs no token."""
    return _PUBLIC.fullmatch(f"{method} {path}") is not None


def machine_may(machine_id: str, method: str, path: str) -> bool:
    """Whether a machine may send this request through its socket, as far as the path tells."""
    if (method == "GET" and _READS.fullmatch(path)) or everybody_may(method, path):
        return True
    if method == "POST" and path in _ASKS_FOR_ITSELF:
        return True
    changes = _CHANGES_ITSELF.fullmatch(path)
    return changes is not None and changes[1] == machine_id
