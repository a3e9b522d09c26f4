"""What the steps of an attempt work with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from ephemera.client import AsyncClient
from ephemera.jobs.clock import Clock
from ephemera.jobs.settings import Settings
from ephemera.jobs.store import Store


@dataclass(frozen=True, slots=True)
class Context:
    """The supervisor's side of an attempt: one for all of them."""

    store: Store
    client: AsyncClient
    clock: Clock
    settings: Settings
    #: Our report listener.
    listener_url: str
    #: Whether new machines are told to report there; else their reports are fetched.
    pushes: bool
    #: Whether an app that is missing may be created: on an embedded platform.
    makes_apps: bool
    #: Called with the id of a job whose outcome was just written.
    ended: Callable[[str], None]
    #: How many machines are being made at the same time at most.
    making: asyncio.Semaphore

    @property
    def report_patience_s(self) -> float:
        """How long a machine offers its last report while nobody supervises.

        On an embedded platform, where a machine that waits costs next to nothing, as long as those
        of failed jobs are kept: a script may end and be run again on the next day.
        """
        patience_s = self.settings.report_patience_s
        return max(patience_s, self.settings.keep_for_s) if self.makes_apps else patience_s

    @property
    def reports_url(self) -> str:
        """Below which machines report: our listener, or a web application's routes."""
        return self.settings.report_url or f"{self.listener_url}/reports"
