"""A driver that is to be checked, and the steps that most checks begin with."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from ephemera.errors import BootFailed
from ephemera.platform import logfile
from ephemera.platform.drivers.base import BootSpec, Driver, Exit

#: Long enough for a slow computer, and never waited for where the driver keeps its promises.
TIMEOUT_S = 50.0
#: What is the kernel's to do takes milliseconds.
_SETTLED_WITHIN_S = 30.0
_LOOK_S = 0.01
UNKNOWN = "nobody-knows-it/1"


@dataclass(frozen=True, slots=True)
class Programs:
    """The commands by which this driver's machines do what the checks need."""

    #: Ends with this exit code.
    exits: Callable[[int], Sequence[str]]
    #: Runs until a signal ends it, SIGTERM among them.
    runs: Sequence[str]
    #: Runs until SIGKILL ends it, and prints `ready` where it needs time to get there.
    ignores_term: Sequence[str]
    #: Prints this line and ends with 0.
    prints: Callable[[str], Sequence[str]]
    #: Prints its standard input (in `exec` only).
    copies: Sequence[str]
    #: Ends with 0 once it has written this text to this file below a mount.
    writes: Callable[[str, str], Sequence[str]]
    #: Does not exist.
    missing: Sequence[str] = ("no-such-command",)
    #: A shell that is typed to; needed where a driver has terminals only.
    shell: Sequence[str] = ("sh",)


@dataclass(frozen=True, slots=True)
class Subject:
    """A driver to be checked.

    Attributes:
        driver: Returns a driver, not opened, that finds what an earlier one of them started.
        programs: What its machines can be made to do.
        log_folder: An empty folder for the output of the machines.
        image: An image that the driver can run.
    """

    driver: Callable[[], Driver]
    programs: Programs
    log_folder: Path
    image: str = "host"

    def spec(self, command: Sequence[str], *, machine_id: str = "m1", boot: int = 1) -> BootSpec:
        """Return a boot of this command."""
        return BootSpec(
            machine_id=machine_id,
            boot=boot,
            app_name="checked",
            image=self.image,
            region="local",
            command=command,
            env={},
            log_folder=str(self.log_folder),
        )

    def lines(self) -> list[str]:
        """Return the messages that machines have logged, in order."""
        folder = str(self.log_folder)
        return [
            json.loads(line)["message"]
            for number in logfile.segments(folder)
            for line in Path(logfile.segment_path(folder, number)).read_text().splitlines()
        ]


Check = Callable[[Subject], Awaitable[None]]


def quiet(*_: str) -> None:
    """Hear what a driver says, and do nothing about it."""


@asynccontextmanager
async def opened(subject: Subject, printed: Callable[[str], None] = quiet) -> AsyncIterator[Driver]:
    """Open a driver for the subject, and close it after at most `TIMEOUT_S`."""
    driver = subject.driver()
    await driver.open(printed)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            yield driver
    finally:
        await driver.close()


async def waiting_for(driver: Driver, handle: str) -> asyncio.Task[Exit]:
    """Return a task that waits for the end of a boot and has got as far as to wait."""

    async def wait() -> Exit:
        return await driver.wait(handle)

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    return task


async def until(is_so: Callable[[], Awaitable[bool]], what: str) -> None:
    """Return when something is so that a driver tells nobody of.

    Raises:
        AssertionError: it never is.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _SETTLED_WITHIN_S
    while not await is_so():
        assert loop.time() < deadline, f"{what}, and it did not within {_SETTLED_WITHIN_S:g} s"
        await asyncio.sleep(_LOOK_S)


async def refused(attempt: Awaitable[object]) -> None:
    """Return if the driver says that it cannot be done.

    Raises:
        AssertionError: it did it.
    """
    try:
        await attempt
    except BootFailed:
        return
    raise AssertionError("BootFailed was not raised")
