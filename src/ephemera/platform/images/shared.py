"""One piece of work for all who ask for the same at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from ephemera.platform.images.image import Say

T = TypeVar("T")


class Shared(Generic[T]):
    """Work that goes on as long as anybody waits for it.

    Args:
        work: Does it; what it says is heard by all who wait.
    """

    def __init__(self, work: Callable[[Say], Awaitable[T]]) -> None:
        self._listeners: list[Say] = []
        self._begun: tuple[str, str] | None = None
        self._task = asyncio.ensure_future(work(self._say))
        #: Whether it is given up, so that who comes now has to begin anew.
        self.abandoned = False

    async def wait(self, say: Say) -> T:
        """Return what the work results in, or raise what it raises.

        Who is cancelled leaves the work to the others; the last one ends it.
        """
        if self._begun:
            say(*self._begun)
        self._listeners.append(say)
        try:
            return await asyncio.shield(self._task)
        finally:
            self._listeners.remove(say)
            if not self._listeners and not self._task.done():
                self.abandoned = True
                self._task.cancel()

    async def end(self) -> None:
        """Give the work up; returns when nothing of it goes on. Repeating is safe."""
        self.abandoned = True
        self._task.cancel()
        await asyncio.wait([self._task])

    def when_done(self, tell: Callable[[], None]) -> None:
        """Have somebody told when nothing of it goes on any more."""
        self._task.add_done_callback(lambda _: tell())

    def _say(self, level: str, message: str) -> None:
        """Tell all who wait; the first line is also for those who come later."""
        self._begun = self._begun or (level, message)
        for listener in tuple(self._listeners):
            listener(level, message)
