"""Those who wait for a machine of an app: to be free, to be up, or to be otherwise."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque


class Queues:
    """A queue for each app, first come, first woken. Whoever is woken looks again for himself."""

    def __init__(self) -> None:
        self._waiting: defaultdict[str, deque[asyncio.Future[None]]] = defaultdict(deque)

    def length(self, app_id: str) -> int:
        """Return how many wait."""
        return len(self._waiting.get(app_id, ()))

    async def wait(self, app_id: str, timeout: float) -> None:
        """Return when something has changed, or `timeout` seconds have passed."""
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue = self._waiting[app_id]
        queue.append(woken)
        try:
            await asyncio.wait([woken], timeout=timeout)
        except asyncio.CancelledError:
            if woken.done():  # it was our turn; the next one's then
                self.wake_one(app_id)
            raise
        finally:
            if not woken.done():
                queue.remove(woken)

    def wake_one(self, app_id: str) -> None:
        """Wake the one who has waited longest: there is one seat more."""
        queue = self._waiting.get(app_id)
        if queue:
            queue.popleft().set_result(None)

    def wake_all(self, app_id: str) -> None:
        """Wake all of an app: a machine of it is otherwise."""
        for woken in self._waiting.pop(app_id, ()):
            woken.set_result(None)
