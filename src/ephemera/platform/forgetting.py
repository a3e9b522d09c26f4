"""Forgets what is remembered for a while only, again and again: a server may run for months."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from sqlalchemy.exc import OperationalError

from ephemera.platform.chores import Chores
from ephemera.platform.clock import Clock, sleep

_log = logging.getLogger(__name__)

#: How often, beside when the server starts.
_EVERY_S = 3600.0


class Forgetting:
    """Goes through what is to be forgotten, now and then.

    Args:
        steps: Each forgets a little, and returns how much; called again until that is nothing.
    """

    def __init__(self, clock: Clock, steps: Sequence[Callable[[], int]]) -> None:
        self._clock = clock
        self._steps = steps
        self._chores = Chores("what is to be forgotten")

    def open(self) -> None:
        """Begin. Needs a running event loop."""
        self._chores.repeat(self._forget, lambda: sleep(self._clock, _EVERY_S))

    async def close(self) -> None:
        """Forget nothing more. Repeating is safe."""
        await self._chores.close()

    async def _forget(self) -> None:
        for step in self._steps:
            await _to_the_end(step)


async def _to_the_end(step: Callable[[], int]) -> None:
    try:
        forgotten = step()
        while forgotten:
            await asyncio.sleep(0)  # others go on meanwhile
            forgotten = step()
    except OperationalError as error:  # the disk is full: it is tried again the next time
        _log.warning("what is old cannot be forgotten yet: %s", error)
