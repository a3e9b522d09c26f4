"""Whether programs of this computer find an app by its name.

Names below `localhost` are this computer (RFC 6761). Browsers and curl know that by themselves;
what asks the system may not, which depends on how the system resolves names.
"""

from __future__ import annotations

import sys
from urllib.parse import urlsplit

from ephemera.cli.screen import note

#: A name server that does not answer is no reason to wait: then it does not know.
_WITHIN_S = 0.3


def note_how_to_reach(url: str) -> None:
    """Say how an app is reached by programs that do not find its name; to people only.

    Nothing is said where the system knows the name, or there is nothing special about it.
    """
    place = urlsplit(url)
    name = place.hostname or ""
    if not name.endswith(".localhost") or not _is_terminal() or _resolves(name):
        return
    note(
        f"note: browsers and curl find {name}; other programs of this system do not: for them"
        f" {place.scheme}://127.0.0.1:{place.port or 80} with the header 'Host: {name}'"
    )


def _is_terminal() -> bool:
    return sys.stderr.isatty()


def _resolves(name: str) -> bool:
    """Return whether the system says that a name is here."""
    import socket
    import threading

    found: list[object] = []

    def ask() -> None:
        try:
            found.extend(socket.getaddrinfo(name, None))
        except OSError:
            return

    # In a thread that may be left behind: nothing else ends a question to a name server.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(_WITHIN_S)
    return bool(found)
