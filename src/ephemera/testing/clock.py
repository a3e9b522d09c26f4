"""A clock that only moves when it is told to."""

from __future__ import annotations

import asyncio


class FakeClock:
    """Time for tests: sleeping moves it on at once.

    Args:
        now: Where it stands at first; seconds since 1970.
    """

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self._now = now
        #: How long each `sleep` asked for, in order.
        self.slept: list[float] = []

    def now(self) -> float:
        """Return the time; seconds since 1970."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move it on."""
        self._now += seconds

    async def sleep(self, seconds: float) -> None:
        """Move it on by `seconds` and let other tasks run once."""
        self.slept.append(seconds)
        self.advance(seconds)
        await asyncio.sleep(0)
