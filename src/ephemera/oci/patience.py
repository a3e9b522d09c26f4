"""How often a registry that drops what it was sending is asked again, and after how long."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass


class RegistryAway(Exception):
    """The registry does not answer now, or has no time: asking later may help.

    Args:
        message: What was tried, with the names in it.
        hint: What to try next.
    """

    def __init__(
        self, message: str, hint: str = "look at the network and at the registry, then try again"
    ) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Patience:
    """Pauses that double from try to try."""

    #: In a row without a byte having come.
    tries: int = 5
    first_pause_s: float = 0.25
    longest_pause_s: float = 8.0


class Tries:
    """Counts what was tried in vain."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._failed = 0

    def progressed(self) -> None:
        """Begin to count anew: something came."""
        self._failed = 0

    async def failed(self, reason: str, *, pause_s: float = 0.0) -> None:
        """Return after a pause when it is time to try again.

        Args:
            pause_s: What the registry asked for; it is not waited for longer than usual.

        Raises:
            RegistryAway: it was tried often enough.
        """
        self._failed += 1
        longest = self._patience.longest_pause_s
        if self._failed >= self._patience.tries or pause_s > longest:
            raise RegistryAway(reason)
        doubled = self._patience.first_pause_s * 2 ** (self._failed - 1)
        await asyncio.sleep(min(max(doubled, pause_s), longest))
