"""What is under way for volumes: the tasks, and which volumes and snapshots each of them needs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from sqlalchemy.exc import OperationalError

_log = logging.getLogger(__name__)

#: How long to wait before writing again what the disk had no room for.
_STORE_RETRY_S = 1.0

_T = TypeVar("_T")


class Works:
    """The tasks about volumes. Whatever one of them needs is not removed before it is over."""

    def __init__(self) -> None:
        self._needs: dict[asyncio.Task[None], frozenset[str]] = {}

    def begin(self, work: Coroutine[Any, Any, None], *needs: str) -> None:
        """Have this done from now on.

        Args:
            needs: The ids of the volumes and snapshots that must stay until it is over.
        """
        task = asyncio.get_running_loop().create_task(work)
        self._needs[task] = frozenset(needs)
        task.add_done_callback(self._done)

    async def let_go(self, *ids: str) -> None:
        """Return when no task needs any of these."""
        while busy := [task for task, needs in self._needs.items() if not needs.isdisjoint(ids)]:
            await asyncio.wait(busy)

    async def close(self) -> None:
        """Stop all of them; the next server goes on."""
        tasks = list(self._needs)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _done(self, task: asyncio.Task[None]) -> None:
        del self._needs[task]
        error = None if task.cancelled() else task.exception()
        if error:
            _log.error("the work on a volume failed: this is a defect", exc_info=error)


async def written(write: Callable[[], _T]) -> _T:
    """Write down what was done, if need be when the disk has room again."""
    while True:
        try:
            return write()
        except OperationalError:
            _log.exception("what became of a volume cannot be written")
            await asyncio.sleep(_STORE_RETRY_S)
