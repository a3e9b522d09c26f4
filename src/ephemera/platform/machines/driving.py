"""What one machine asks of the driver, asked until there is an answer.

A driver that fails has said nothing about the machine: not knowing is no proof of anything. So
everything here returns or raises only when the driver knows.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from ephemera.errors import BootFailed, DriverError, ImageUnavailable, StartCancelled, Unsupported
from ephemera.platform.clock import sleep
from ephemera.platform.drivers.base import Exit
from ephemera.platform.machines.surroundings import Surroundings
from ephemera.platform.machines.voice import Voice
from ephemera.platform.records import MachineRecord

_log = logging.getLogger(__name__)

#: How long to wait before asking a driver again that had no answer: at first, and at most.
_RETRY_S = 1.0
_RETRY_MAX_S = 30.0
#: With these a driver says that it cannot be done. With any other it does not know.
REFUSED = (Unsupported, ImageUnavailable, BootFailed)

_T = TypeVar("_T")


class Driving:
    """The driver, for one machine."""

    def __init__(self, machine_id: str, around: Surroundings, voice: Voice) -> None:
        self._machine_id = machine_id
        self._around = around
        self._driver = around.driver
        self._voice = voice

    async def start(self, record: MachineRecord, wanted: Callable[[], bool], *, asked: bool) -> str:
        """Start the machine's newest boot and return its handle.

        Args:
            wanted: Whether it is still to be started; asked before the driver is.
            asked: Whether the driver may have been asked for this boot before.

        Raises:
            StartCancelled: it was not to be started any more.
            Unsupported, ImageUnavailable, BootFailed: nothing of it is left running.
        """

        async def start() -> str:
            nonlocal asked
            was_asked, asked = asked, True
            try:
                return await self._start(record, wanted)
            except StartCancelled:
                if was_asked:  # and may have started it, though nobody heard so
                    await self._driver.destroy(record.id)
                raise

        return await self._until_known(start)

    async def _start(self, record: MachineRecord, wanted: Callable[[], bool]) -> str:
        if not wanted():
            raise StartCancelled(f"machine {record.id} was told to end before it was started")
        return await self._driver.start(self._around.boot_spec(record), self._voice.hear)

    def cancel_start(self) -> None:
        """Have a start end that waits for an image."""
        self._driver.cancel_start(self._machine_id)

    async def wait(self, handle: str) -> Exit:
        """Return how a boot ended, once it has."""
        return await self._until_known(lambda: self._driver.wait(handle))

    def ended(self, handle: str) -> Exit | None:
        """Return how a boot ended, where that is known already."""
        return self._driver.ended(handle)

    async def signal(self, handle: str, signum: int, *, everyone: bool) -> None:
        """Send a signal to a boot."""
        await self._until_known(lambda: self._driver.signal(handle, signum, everyone=everyone))

    async def suspend(self, handle: str) -> None:
        """Freeze a boot.

        Raises:
            Unsupported, BootFailed: it runs on.
        """
        await self._until_known(lambda: self._driver.suspend(handle))

    async def resume(self, handle: str) -> None:
        """Let a frozen boot go on."""
        await self._until_known(lambda: self._driver.resume(handle))

    async def destroy(self) -> None:
        """Have nothing left of the machine."""
        await self._until_known(lambda: self._driver.destroy(self._machine_id))

    async def _until_known(self, ask: Callable[[], Awaitable[_T]]) -> _T:
        pause = _RETRY_S
        while True:
            try:
                return await ask()
            except REFUSED:
                raise
            except (DriverError, OSError) as error:
                self._voice.say(f"the driver cannot say, asking again: {error}", level="error")
                _log.error("machine %s: the driver failed", self._machine_id, exc_info=error)
            await sleep(self._around.clock, pause)
            pause = min(pause * 2, _RETRY_MAX_S)
