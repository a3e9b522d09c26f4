"""What the platform's own endpoints take and answer."""

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


class AppNetwork(Wire):
    """The private network of an app."""

    network: str
    #: Its addresses, such as `fdaa:1:2::/48`.
    prefix: str
    #: Whether its machines may reach the world outside of it.
    outside: bool


class NetworkChange(Wire):
    """What is to be different in the private network of an app."""

    outside: bool


class Reach(Wire):
    """How machines reach the computer that they are on."""

    #: Its address in their network.
    host: str
