"""What time it is, as an argument, so that tests decide it."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time and lets it pass. `ephemera.testing.FakeClock` is the other one."""

    def now(self) -> float:
        """Return the time; seconds since 1970."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after this many seconds."""
        ...


class SystemClock:
    """The computer's own."""

    def now(self) -> float:
        """Return the time; seconds since 1970."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Return after this many seconds."""
        await asyncio.sleep(seconds)
