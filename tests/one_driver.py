"""Checks of the contract of drivers, with one driver that stays open from check to check.

To open a driver of containers takes longer than most checks do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from ephemera.platform.drivers import open_driver
from ephemera.platform.drivers.base import Driver
from ephemera.testing.drivers import Check, Subject, run_check

#: What these say is of a driver and the one after it: each has to be opened.
OF_TWO_DRIVERS = (
    "a_repeated_start_runs_nothing_twice",
    "a_suspended_machine_can_be_killed",
    "destroy_reaches_machines_of_an_earlier_driver",
    "machines_outlive_the_driver",
)
Run = Callable[[Check, Subject], None]


#: Long enough for a slow computer, and never waited for where all is well.
TIMEOUT_S = 100.0


@contextmanager
def one_driver(name: str, home: Path) -> Iterator[Run]:
    """Open a driver, and yield what runs a check with it: in at most `TIMEOUT_S`."""
    with asyncio.Runner() as runner:
        driver = _KeptOpen(open_driver(name, home))
        runner.run(driver.begin())

        async def run(check: Check, subject: Subject) -> None:
            async with asyncio.timeout(TIMEOUT_S):
                await run_check(check, replace(subject, driver=lambda: cast("Driver", driver)))

        try:
            yield lambda check, subject: runner.run(run(check, subject))
        finally:
            runner.run(driver.end())


class _KeptOpen:
    """A driver that does not close; it tells whoever opened it last what is printed."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._tell: Callable[[str], None] = lambda _: None

    async def begin(self) -> None:
        await self._driver.open(lambda machine_id: self._tell(machine_id))

    async def end(self) -> None:
        await self._driver.close()

    async def open(self, printed: Callable[[str], None]) -> None:
        self._tell = printed

    async def close(self) -> None:
        """Do nothing: the next check needs it."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._driver, name)
