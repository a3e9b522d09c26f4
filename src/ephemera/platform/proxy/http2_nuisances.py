"""How much a client may do over HTTP/2 that asks for nothing, or for what it takes back."""

from __future__ import annotations

#: How many resets, and events that ask for nothing, are borne beyond what requests come with.
_MOST = 500
#: How many of them are forgotten with each sweep.
_FORGIVEN = 10


class Nuisances:
    """What one connection did of that."""

    def __init__(self) -> None:
        self._count = 0

    def add(self) -> None:
        """Count one more."""
        self._count += 1

    def forgive(self) -> None:
        """Forget some of them: a sweep has passed."""
        self._count = max(0, self._count - _FORGIVEN)

    @property
    def are_too_many(self) -> bool:
        """Whether the client means harm."""
        return self._count > _MOST
