"""What the platform's own endpoints for machines answer."""

from __future__ import annotations

from ephemera.wire.resource import Wire


class Location(Wire):
    """Where a machine is."""

    app: str


class Remains(Wire):
    """What can be had of a machine as it is now."""

    driver: str
    state: str
    #: Whether a command can be run in it with a terminal.
    terminal: bool
    #: Whether a copy of what it left can be looked into.
    look: bool
    #: Whether its file system can be exported.
    export: bool
