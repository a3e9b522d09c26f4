"""Faults of boots: images that cannot be had, machines that do not start, and lost ones."""

from __future__ import annotations

from signal import SIGKILL
from typing import Any

from ephemera.errors import BootFailed, ImageUnavailable
from ephemera.platform.drivers.base import BootSpec, Driver, Exit, Say
from ephemera.platform.faults.menu import Menu
from ephemera.platform.faults.orders import BootFailure, NoImage


class FaultyDriver:
    """A driver, and what a menu of faults makes of it."""

    def __init__(self, driver: Driver, menu: Menu) -> None:
        self._driver = driver
        self._menu = menu
        self._lost: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        """Whatever no fault is about is the driver's own."""
        return getattr(self._driver, name)

    async def start(self, spec: BootSpec, say: Say) -> str:
        """Start the boot, unless a fault is in the way.

        Raises:
            Unsupported, ImageUnavailable, BootFailed: nothing of the boot is left running.
        """
        match self._menu.for_boot(spec.app_name, spec.machine_id, spec.image):
            case NoImage():
                raise ImageUnavailable(f"image '{spec.image}' cannot be pulled")
            case BootFailure(why=why):
                raise BootFailed(why)
        return await self._driver.start(spec, say)

    async def wait(self, handle: str) -> Exit:
        """Return how the boot ended; of a lost one that nobody saw it."""
        end = await self._driver.wait(handle)
        if handle not in self._lost:
            return end
        self._lost.discard(handle)
        return Exit(-1, error="the machine's host was lost", exited_at=end.exited_at)

    def ended(self, handle: str) -> Exit | None:
        """Return how the boot ended where that is known already; of a lost one nothing is."""
        return None if handle in self._lost else self._driver.ended(handle)

    async def lose(self, handle: str) -> None:
        """Kill the boot, and have nobody see how it ended."""
        self._lost.add(handle)
        await self._driver.signal(handle, SIGKILL, everyone=True)
