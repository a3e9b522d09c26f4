"""All that tests may do to a platform, in one place: for the server, and for the routes."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from ephemera.platform.clock import MovableClock
from ephemera.platform.drivers.base import Driver
from ephemera.platform.faults.in_drivers import FaultyDriver
from ephemera.platform.faults.menu import Menu
from ephemera.platform.platform import Platform
from ephemera.platform.proxy.urls import ProxyUrls
from ephemera.platform.settings import Settings
from ephemera.platform.store import Store


class Stage:
    """What a platform goes by that tests may make misbehave.

    Attributes:
        clock: The platform's, which can be moved.
        menu: The faults that were asked for.
    """

    def __init__(self, driver: Driver) -> None:
        self.clock = MovableClock()
        self.menu = Menu()
        self._driver = FaultyDriver(driver, self.menu)

    @property
    def driver(self) -> Driver:
        """The platform's driver, with what the menu makes of it."""
        return cast("Driver", self._driver)  # what it does not define is the real one's

    def platform(
        self, store: Store, home: Path, url: str, settings: Settings, proxies: ProxyUrls
    ) -> Platform:
        """Return a platform that goes by all of it."""
        made = Platform(
            store, self.driver, home, url, settings, self.clock, self.menu.hold, proxies
        )
        made.observers.append(lambda _record, _happened: self.menu.stir())
        return made

    async def lose(self, handle: str) -> None:
        """Have a boot end in a way that nobody saw."""
        await self._driver.lose(handle)
