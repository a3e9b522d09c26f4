"""Those who wait for a machine of an app: to be free, to be up, or to be otherwise."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Hashable


class Queues:
    """The queues of each app, first come, first woken. Whoever is woken looks again for himself.

    There is one for each kind of wish: who waits for one machine may not be in the way of somebody
    who would take any.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, dict[Hashable, deque[asyncio.Future[None]]]] = {}

    def length(self, app_id: str) -> int:
        """Return how many wait."""
        return sum(map(len, self._waiting.get(app_id, {}).values()))

    async def wait(self, app_id: str, timeout: float, kind: Hashable = None) -> None:
        """Return when something has changed, or `timeout` seconds have passed.

        Args:
            kind: What is waited for. Those of one kind take the same machines.
        """
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(app_id, {}).setdefault(kind, deque()).append(woken)
        try:
            await asyncio.wait([woken], timeout=timeout)
        except asyncio.CancelledError:
            if woken.done():  # it was our turn; the next one's then
                self._wake(app_id, kind)
            raise
        finally:
            if not woken.done():
                self._waiting[app_id][kind].remove(woken)
                self._tidy(app_id, kind)

    def wake_one(self, app_id: str) -> None:
        """Wake the one of each kind who has waited longest: there is one seat more."""
        for kind in list(self._waiting.get(app_id, ())):
            self._wake(app_id, kind)

    def wake_all(self, app_id: str) -> None:
        """Wake all of an app: a machine of it is otherwise."""
        for queue in self._waiting.pop(app_id, {}).values():
            for woken in queue:
                woken.set_result(None)

    def _wake(self, app_id: str, kind: Hashable) -> None:
        queue = self._waiting.get(app_id, {}).get(kind)
        if queue:
            queue.popleft().set_result(None)
            self._tidy(app_id, kind)

    def _tidy(self, app_id: str, kind: Hashable) -> None:
        """Forget a queue in which nobody is any more."""
        queues = self._waiting[app_id]
        if not queues[kind]:
            del queues[kind]
        if not queues:
            del self._waiting[app_id]
