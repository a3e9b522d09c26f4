"""What the platform's own endpoints take and answer."""

from __future__ import annotations

from pydantic import Field

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
    #: How many requests and connections of the proxy it has now.
    requests: int = 0


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


class AppPort(Wire):
    """A port of an app that is not HTTP."""

    port: int
    internal_port: int
    #: `HOST:PORT` on the platform's computer; empty where it is not served.
    address: str
    #: Why it is not, else empty.
    problem: str


class AppAddresses(Wire):
    """Where an app is served."""

    #: Its URLs on the platform's computer, the safest first.
    urls: list[str]
    #: Its URL in private networks; empty where there are none.
    private_url: str
    ports: list[AppPort]


class StoredImage(Wire):
    """A container image that is on the platform's computer."""

    reference: str
    #: Of its manifest for that computer.
    digest: str
    layers: int
    #: Of its layers, also those that other images share; bytes.
    size_bytes: int
    #: When it came, and when its registry last said that the reference means it; RFC 3339, UTC.
    pulled_at: str
    checked_at: str


class ImageList(Wire):
    """The container images of a platform."""

    images: list[StoredImage]


class PullImage(Wire):
    """Which image is to be pulled."""

    reference: str


class PullNews(Wire):
    """How far a pull is, or how it ended: with an image, or with an error and what to do."""

    level: str = ""
    message: str = ""
    image: StoredImage | None = None
    error: str = ""
    hint: str = ""


class PrunedImages(Wire):
    """What was removed because no machine needs it."""

    images: list[str]
    layers: int
    freed_bytes: int
    #: Of the platform's own registry: what nothing needs any more.
    tags: list[str] = Field(default_factory=list)


class ListedToken(Wire):
    """A token for one app, without what is secret of it."""

    id: str
    app_name: str
    #: RFC 3339, UTC.
    created_at: str
    expires_at: str


class TokenList(Wire):
    """The tokens that are good, of all apps."""

    tokens: list[ListedToken]
