"""Destroys machines that were kept too long, now and then, beside a supervisor's own work."""

from __future__ import annotations

import asyncio
import logging

from ephemera.errors import EphemeraError
from ephemera.jobs.context import Context
from ephemera.jobs.retention import trim

_log = logging.getLogger("ephemera.jobs")

_EVERY_S = 60.0


class Trimming:
    """Trims beside the caller: an API that does not answer must not cost it its lease."""

    def __init__(self) -> None:
        self._at = 0.0
        #: What trims now.
        self.task: asyncio.Task[None] | None = None

    def now_and_then(self, context: Context) -> None:
        """Begin to trim, if it is time to and that is not under way. Repeating is cheap."""
        now = context.clock.now()
        if now < self._at or self.task is not None:
            return
        self._at = now + _EVERY_S
        self.task = asyncio.create_task(self._trim(context))
        self.task.add_done_callback(self._over)

    async def _trim(self, context: Context) -> None:
        settings = context.settings
        try:
            await trim(context, keep=settings.keep, keep_for_s=settings.keep_for_s)
        except EphemeraError as error:
            _log.warning("Machines kept too long could not be destroyed: %s", error)
        except Exception:  # noqa: BLE001 - a locked database: it is tried again in a minute
            _log.exception("Machines kept too long could not be destroyed")

    def _over(self, _: asyncio.Task[None]) -> None:
        self.task = None
