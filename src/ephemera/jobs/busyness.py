"""Tells the platform that the machine we run in has jobs of its own under way.

A web application that scales to zero is stopped when nobody asks it anything for a while. Its
jobs run on other machines, so to the proxy it looks idle while its supervisor watches them. The
embedded platform stops no machine that has the metadata `ephemera_busy`. Fly.io's own proxy knows
no such sign: there the report of a job wakes the application, see `webside`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from ephemera.client import AsyncClient
from ephemera.errors import EphemeraError, NotFound
from ephemera.jobs.clock import Clock

_log = logging.getLogger("ephemera.jobs")

#: The key of the metadata. Any value but the empty one means busy.
BUSY_KEY = "ephemera_busy"
#: Another supervisor in the same machine may have taken the sign away.
_SAY_AGAIN_S = 30.0
#: After it could not be said.
_RETRY_S = 2.0


class Busyness:
    """What is said of the machine that this process runs in; nothing where it is in none of ours.

    Args:
        environ: Says which machine it is.
    """

    def __init__(self, clock: Clock, environ: Mapping[str, str]) -> None:
        ours = bool(environ.get("EPHEMERA_API_SOCKET"))
        self._app = environ.get("FLY_APP_NAME", "") if ours else ""
        self._machine = environ.get("FLY_MACHINE_ID", "") if ours else ""
        self._clock = clock
        self._said: bool | None = None
        self._say_at = 0.0
        #: What is being said now.
        self.task: asyncio.Task[None] | None = None

    def tell(self, client: AsyncClient, *, busy: bool) -> None:
        """Say whether there are jobs, beside the caller, where that is news. Repeating is cheap."""
        now = self._clock.now()
        news = busy is not self._said or (busy and now >= self._say_at)
        waits = self._said is None and now < self._say_at
        if not (self._app and self._machine) or self.task or not news or waits:
            return
        self.task = asyncio.create_task(self._say(client, busy=busy))
        self.task.add_done_callback(self._over)

    async def _say(self, client: AsyncClient, *, busy: bool) -> None:
        try:
            if busy:
                await client.machines.set_metadata(self._app, self._machine, BUSY_KEY, "jobs")
            else:
                await _forget(client, self._app, self._machine)
        except EphemeraError as error:
            _log.debug("The platform does not know whether we are busy: %s", error)
            self._said, self._say_at = None, self._clock.now() + _RETRY_S
        else:
            self._said, self._say_at = busy, self._clock.now() + _SAY_AGAIN_S

    def _over(self, _: asyncio.Task[None]) -> None:
        self.task = None


async def _forget(client: AsyncClient, app: str, machine: str) -> None:
    try:
        await client.machines.delete_metadata(app, machine, BUSY_KEY)
    except NotFound:
        _log.debug("Nobody had said that machine %s is busy", machine)
