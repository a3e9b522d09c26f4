"""What the faces of the platform's own endpoints have in common: a link, and its end."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from ephemera.client.links import Link
from ephemera.client.place import Place
from ephemera.errors import ConfigError


class OwnFace:
    """Endpoints that only a platform of ours has. Safe to use from any thread.

    Args:
        url: As for `Client`.
        token: As for `Client`.

    Raises:
        ConfigError: an address or token is missing or malformed.

    All calls raise `ConfigError` where requests would go to Fly.io; nothing is sent then.
    """

    #: What these endpoints are for, and what does that on Fly.io, for messages.
    about = "this"
    instead = ""

    def __init__(self, url: str | None = None, token: str | None = None) -> None:
        self._place = Place(url, token)
        self._carrier = Link(self._place, None)

    @property
    def fly(self) -> bool:
        """Whether requests go to Fly.io, where there is nothing of this."""
        return self._place.fly

    def check_ours(self) -> None:
        """Return if this may be a platform of ours.

        Raises:
            ConfigError: it is Fly.io.
        """
        if self.fly:
            raise ConfigError(
                f"{self.about} is not a part of Fly.io's Machines API", hint=self.instead
            )

    @property
    def _link(self) -> Link:
        """What carries the calls out."""
        self.check_ours()
        return self._carrier

    def close(self) -> None:
        """Close all connections. Repeating is safe."""
        self._carrier.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self.close()
