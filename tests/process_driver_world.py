"""A process driver in a folder of its own, and eyes for what it leaves alive."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from ephemera.platform import logfile
from ephemera.platform.drivers.base import BootSpec, GuestFile
from ephemera.platform.drivers.monitoring import kernel
from ephemera.platform.drivers.process.driver import ProcessDriver

#: Long enough for a slow computer, and never waited for where all is well.
TIMEOUT_S = 100.0


def quiet(*_: str) -> None:
    """Hear what a driver says, and do nothing about it."""


class World:
    """One home, its machines, and their log."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.log = home / "logs"
        self._grown = asyncio.Event()

    def spec(
        self,
        *command: str,
        machine_id: str = "m1",
        env: Mapping[str, str] | None = None,
        files: Sequence[GuestFile] = (),
    ) -> BootSpec:
        """Return the first boot of a machine."""
        return BootSpec(
            machine_id, 1, "app", "host", "local", command, env or {}, files,
            log_folder=str(self.log),
        )  # fmt: skip

    @asynccontextmanager
    async def driver(self) -> AsyncIterator[ProcessDriver]:
        """Open a driver, as a server does when it is started."""
        driver = ProcessDriver(self.home)
        await driver.open(lambda _: self._grown.set())
        try:
            async with asyncio.timeout(TIMEOUT_S):
                yield driver
        finally:
            await driver.close()

    async def run(self, *command: str, env: Mapping[str, str] | None = None) -> list[str]:
        """Run a machine to its end, expect exit code 0, and return what it printed."""
        async with self.driver() as driver:
            handle = await driver.start(self.spec(*command, env=env), quiet)
            found = await driver.wait(handle)
        assert found.exit_code == 0, self.lines()
        return self.lines()

    def lines(self) -> list[str]:
        """Return the messages of the log, in order."""
        return [
            json.loads(line)["message"]
            for number in logfile.segments(str(self.log))
            for line in _whole_lines(logfile.segment_path(str(self.log), number))
        ]

    async def clear(self) -> None:
        """Destroy every machine, so that a test that failed leaves nothing alive."""
        async with self.driver() as driver:
            for machine_id in await driver.machines():
                await driver.destroy(machine_id)

    async def printed(self, line: str) -> None:
        """Return when a machine of an open driver has printed this line."""
        while line not in self.lines():
            self._grown.clear()
            await self._grown.wait()

    async def first_line(self) -> str:
        """Return the first line that a machine of an open driver prints."""
        while not self.lines():
            self._grown.clear()
            await self._grown.wait()
        return self.lines()[0]

    def alive(self) -> set[int]:
        """Return the processes of this home's machines: programs, and all they started."""
        home = f"EPHEMERA_FILES={self.home}/".encode()
        return {one.pid for one in kernel.processes() if home in _environment(one.pid)}

    def program(self, machine_id: str = "m1") -> int:
        """Return the pid of a machine's program, as its lock has it."""
        record = (self.home / "machines" / machine_id / "1.lock").read_text()
        return int(json.loads(record)["pid"])

    def monitor(self, machine_id: str = "m1") -> int:
        """Return the pid of a machine's monitor, while its program lives."""
        program = kernel.process(self.program(machine_id))
        assert program is not None
        return program.parent

    async def nothing_lives(self) -> None:
        """Return when nothing of this home is alive any more.

        Raises:
            TimeoutError: something is.
        """
        async with asyncio.timeout(TIMEOUT_S):
            while self.alive():  # noqa: ASYNC110 - nobody tells of the end of others' children
                await asyncio.sleep(0.01)


def _whole_lines(path: str) -> list[str]:
    """Return the lines of a log, without one that is being written."""
    return Path(path).read_text().split("\n")[:-1]


def _environment(pid: int) -> bytes:
    try:
        return kernel.told(pid, "environ")
    except OSError:
        return b""


def zygote_of(driver: ProcessDriver) -> int:
    """Return the pid of a driver's zygote."""
    zygote = driver._nursery._zygote
    assert zygote is not None
    return zygote.pid


def forked_by(zygote: int) -> set[int]:
    """Return the zygote's children: its spare, and the monitors."""
    return {one.pid for one in kernel.processes() if one.parent == zygote}


def kill(*pids: int) -> None:
    """Kill processes at once, those that are dead already too."""
    for pid in pids:
        try:
            os.kill(pid, 9)
        except ProcessLookupError:
            continue
