"""The ways a machine can be run, and `open_driver`, which finds one by its name.

Drivers are imported when they are asked for: the process driver's zygote imports its own modules
from this package and must stay small.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ephemera.errors import ConfigError

if TYPE_CHECKING:
    from ephemera.platform.drivers.base import Driver

#: What `open_driver` knows.
NAMES = ("container", "mock", "process")


def open_driver(name: str, home: Path) -> Driver:
    """Return the driver of that name; its `open` is still to be called.

    Args:
        name: One of `NAMES`.
        home: The state folder; the driver keeps what it must remember below it.

    Raises:
        ConfigError: there is no such driver.
    """
    if name == "process":
        from ephemera.platform.drivers.process.driver import ProcessDriver

        return ProcessDriver(home)
    if name == "container":
        from ephemera.platform.drivers.container.driver import ContainerDriver

        return ContainerDriver(home)
    if name == "mock":
        from ephemera.platform.drivers.mock import MockDriver

        return MockDriver()
    raise ConfigError(f"there is no driver '{name}'", hint=f"choose one of: {', '.join(NAMES)}")
