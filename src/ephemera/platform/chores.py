"""Tasks that somebody answers for: what takes time, and ends when the server stops."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

_log = logging.getLogger(__name__)


class Chores:
    """The tasks of one owner.

    Args:
        whose: Who that is, for the log: a few words, such as `machine 7`.
    """

    def __init__(self, whose: str) -> None:
        self._whose = whose
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Have this done from now on. An exception that it lets out is a defect, and logged."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def repeat(
        self, act: Callable[[], Awaitable[None]], pause: Callable[[], Awaitable[object]]
    ) -> None:
        """Have this done again and again from now on, with a pause after each time.

        An exception that it lets out is a defect, and logged. It costs that one time.
        """
        self.begin(self._repeat(act, pause))

    async def finish(self) -> None:
        """Return when all of them are over."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def close(self) -> None:
        """Cancel all of them, and return when they are over. Repeating is safe."""
        for task in self._tasks:
            task.cancel()
        await self.finish()

    async def _repeat(
        self, act: Callable[[], Awaitable[None]], pause: Callable[[], Awaitable[object]]
    ) -> None:
        while True:
            try:
                await act()
            except Exception:  # noqa: BLE001 - it goes on, whatever it was
                _log.exception("%s: this is a defect", self._whose)
            await pause()

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error:
            _log.error("%s: this is a defect", self._whose, exc_info=error)
