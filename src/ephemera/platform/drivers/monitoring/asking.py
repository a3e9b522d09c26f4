"""What drivers whose boots have monitors tell these alike, of what a boot was specified as."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from ephemera.platform.drivers.base import GuestFile

#: What programs of this computer need to find their way. Nothing else leaks in: the server's
#: environment may hold secrets, and a machine must not depend on who started the server.
_KEPT = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR"}
    | {"SSL_CERT_FILE", "SSL_CERT_DIR"}
    # macOS: the encoding of the user's text, without which C libraries warn
    | {"__CF_USER_TEXT_ENCODING"}
)


def kept(server: Mapping[str, str]) -> dict[str, str]:
    """Return what a program of this computer finds of the server's environment."""
    return {name: server[name] for name in server if name in _KEPT or name[:3] == "LC_"}


def files(given: Sequence[GuestFile]) -> list[dict[str, Any]]:
    """Return the files that must be there when the program starts, as messages have them."""
    return [
        {
            "guest_path": one.guest_path,
            "content": base64.b64encode(one.content).decode(),
            "mode": one.mode,
        }
        for one in given
    ]
