"""What the faces of the platform's own endpoints have in common: a link, and its end."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from ephemera.client.links import Link
from ephemera.client.place import Place


class OwnFace:
    """Endpoints that only a platform of ours has. Safe to use from any thread.

    Args:
        url: As for `Client`.
        token: As for `Client`.

    Raises:
        ConfigError: an address or token is missing or malformed.
    """

    def __init__(self, url: str | None = None, token: str | None = None) -> None:
        self._place = Place(url, token)
        self._link = Link(self._place, None)

    @property
    def fly(self) -> bool:
        """Whether requests go to Fly.io, where there is nothing of this."""
        return self._place.fly

    def close(self) -> None:
        """Close all connections. Repeating is safe."""
        self._link.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self.close()
