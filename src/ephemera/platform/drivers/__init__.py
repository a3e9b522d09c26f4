"""The ways a machine can be run, and `open_driver`, which finds one by its name.

Drivers are imported when they are asked for: the process driver's zygote imports its own modules
from this package and must stay small.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ephemera.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from ephemera.platform.drivers.base import Driver

#: What `open_driver` knows.
NAMES = ("container", "mock", "process")


@contextmanager
def entered(name: str, home: Path) -> Iterator[None]:
    """Be where a driver of that name can be opened, for as long as the block runs.

    Only for a process with a single thread: it may be in other namespaces from then on.

    Args:
        name: As for `open_driver`; of one that is unknown nothing is done.
        home: The state folder.

    Raises:
        DriverError: this user cannot have the driver; the message says why.
    """
    if name != "container":
        yield
        return
    from ephemera.platform.drivers.container import rootless

    with rootless.entered(home):
        yield


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
