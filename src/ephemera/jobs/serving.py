"""A supervisor as a process of its own: what `ephemera supervise` runs."""

from __future__ import annotations

import asyncio

from ephemera.jobs.runtime import runtime
from ephemera.jobs.supervisor import Supervisor


async def run_supervisor(stop: asyncio.Event) -> None:
    """Supervise the jobs of the configured store until `stop` is set.

    It stands by while another supervisor is active. Jobs under way go on when this returns, and
    are found again by the next one.

    Raises:
        ConfigError: the store cannot be opened, or the API's address or token is wrong.
    """
    supervisor = Supervisor(
        runtime.store(), runtime.settings(), ended=runtime.endings.ended, patient=False
    )
    await supervisor.run(stop)
