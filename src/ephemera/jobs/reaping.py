"""Clearing up by hand: kept machines that are too many or too old, and machines nobody owns."""

from __future__ import annotations

import asyncio

from ephemera.client import AsyncClient
from ephemera.jobs.clock import SystemClock
from ephemera.jobs.context import Context
from ephemera.jobs.retention import Reaped, destroy_orphans, trim
from ephemera.jobs.runtime import runtime
from ephemera.jobs.states import Stage


def reap(
    dry_run: bool = False, keep: int | None = None, keep_for: float | None = None
) -> list[Reaped]:
    """Destroy kept machines beyond the limits, and this store's machines that no job owns.

    Machines of other stores and of jobs under way are never touched. Repeating is safe. Not to
    be called on an event loop: it runs one of its own.

    Args:
        dry_run: Only tell what would be destroyed.
        keep: How many kept machines may stay; None for the setting.
        keep_for: Seconds they may stay; None for the setting.

    Raises:
        EphemeraError: the API refused, or cannot be asked; some may be destroyed already.
    """
    return asyncio.run(_reap(dry_run=dry_run, keep=keep, keep_for=keep_for))


async def _reap(*, dry_run: bool, keep: int | None, keep_for: float | None) -> list[Reaped]:
    settings, store = runtime.settings(), runtime.store()
    async with AsyncClient() as client:
        context = Context(
            store=store,
            client=client,
            clock=SystemClock(),
            settings=settings,
            listener_url="",
            pushes=False,
            makes_apps=False,
            ended=runtime.endings.ended,
            making=asyncio.Semaphore(),
        )
        beyond = await trim(
            context,
            keep=settings.keep if keep is None else keep,
            keep_for_s=settings.keep_for_s if keep_for is None else keep_for,
            dry_run=dry_run,
        )
        used = {one.app for stage in Stage for one in store.in_stage(stage)}
        return beyond + await destroy_orphans(context, used | {settings.app}, dry_run=dry_run)
