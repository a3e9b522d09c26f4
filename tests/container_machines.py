"""Machines that are containers, for tests that look at them from inside: a line for each question.

```python
machines = Machines(home, image)
assert machines.output("id -u") == ["0"]
```
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from signal import SIGKILL
from typing import Any, NamedTuple, TypeVar

from ephemera.platform.drivers.base import Executed, Exit
from ephemera.platform.drivers.container.driver import ContainerDriver
from tests.container_world import TIMEOUT_S, World, quiet

T = TypeVar("T")


class Ran(NamedTuple):
    """A machine that has ended."""

    exit: Exit
    #: What it printed.
    lines: list[str]


class Machines:
    """The machines of one platform, which is open for as long as `opened`.

    Args:
        world: Where it is.
        image: What machines are of that are not told otherwise.
    """

    def __init__(
        self, world: World, driver: ContainerDriver, runner: asyncio.Runner, image: str
    ) -> None:
        self.world = world
        self.driver = driver
        self.image = image
        self._runner = runner
        self._numbers = count(1)

    @classmethod
    @contextmanager
    def opened(cls, home: Path, image: str = "host") -> Iterator[Machines]:
        """Open a platform; at the end it is closed, and nothing of it is left."""
        world = World(home)
        with asyncio.Runner() as runner:
            driver = ContainerDriver(home)
            runner.run(driver.open(quiet))
            machines = cls(world, driver, runner, image)
            try:
                yield machines
            finally:
                machines.await_(machines._close())

    async def _close(self) -> None:
        for machine_id in await self.driver.machines():
            await self.driver.destroy(machine_id)
        await self.driver.close()
        await self.world.traces.vanish()

    def await_(self, what: Awaitable[T]) -> T:
        """Return what something comes to that takes time, but not for ever."""

        async def within() -> T:
            async with asyncio.timeout(TIMEOUT_S):
                return await what

        return self._runner.run(within())

    def start(self, *command: str, **more: Any) -> str:
        """Start a machine, and return its handle."""
        name = f"m{next(self._numbers)}"
        spec = self.world.spec(*command, machine_id=name, **{"image": self.image, **more})
        return self.await_(self.driver.start(spec, quiet))

    def ended(self, handle: str) -> Ran:
        """Return how a machine ends, and what it has printed; it is destroyed."""
        machine_id = handle.partition("/")[0]
        end = self.await_(self.driver.wait(handle))
        ran = Ran(end, self.world.lines(machine_id))
        self.await_(self.driver.destroy(machine_id))
        return ran

    def ended_by_kill(self, handle: str) -> Ran:
        """Kill all of a machine, and return how it ended."""
        self.await_(self.driver.signal(handle, SIGKILL, everyone=True))
        return self.ended(handle)

    def run(self, *command: str, **more: Any) -> Ran:
        """Run a machine to its end."""
        return self.ended(self.start(*command, **more))

    def output(self, script: str, **more: Any) -> list[str]:
        """Return what a machine with this script prints, which has to end well."""
        ran = self.run("sh", "-c", script, **more)
        assert ran.exit.exit_code == 0, ran
        return ran.lines

    def python(self, program: str) -> list[str]:
        """Return what a machine of image `host` prints that runs this program of Python."""
        ran = self.run(sys.executable, "-I", "-S", "-c", program, image="host")
        assert ran.exit.exit_code == 0, ran
        return ran.lines

    def exec(self, handle: str, *command: str) -> Executed:
        """Run a command in a machine."""
        return self.await_(self.driver.exec(handle, command, timeout=30))
