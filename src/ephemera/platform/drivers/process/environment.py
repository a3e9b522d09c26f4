"""What a program finds in its environment: little of the server's, all of the machine's."""

from __future__ import annotations

from collections.abc import Mapping

#: What programs of this computer need to find their way. Nothing else leaks in: the server's
#: environment may hold secrets, and a machine must not depend on who started the server.
_KEPT = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR"}
    | {"SSL_CERT_FILE", "SSL_CERT_DIR"}
    # macOS: the encoding of the user's text, without which C libraries warn
    | {"__CF_USER_TEXT_ENCODING"}
)


def environment(
    server: Mapping[str, str], machine: Mapping[str, str], files_folder: str
) -> dict[str, str]:
    """Return the environment of a program.

    Args:
        server: The server's own environment, of which the language and the places are kept.
        machine: What the machine was given; wins.
        files_folder: Told as `EPHEMERA_FILES`. It is also how processes of a boot are known
            for what they are, so it cannot be set by the machine.
    """
    kept = {name: value for name, value in server.items() if name in _KEPT or name[:3] == "LC_"}
    return {**kept, **machine, "EPHEMERA_FILES": files_folder}
