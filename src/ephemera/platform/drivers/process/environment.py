"""What a program finds in its environment: little of the server's, all of the machine's."""

from __future__ import annotations

from collections.abc import Mapping

from ephemera.platform.drivers.monitoring.asking import kept


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
    return {**kept(server), **machine, "EPHEMERA_FILES": files_folder}
