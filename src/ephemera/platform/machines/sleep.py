"""A machine put to sleep and woken: its program frozen where it is, and let go on there.

```
suspending ──driver.suspend──► suspended ──start──► starting ──driver.resume──► started
     └── it cannot be frozen: the machine is stopped instead
```
"""

from __future__ import annotations

from collections.abc import Callable

from ephemera.errors import DriverError
from ephemera.platform.chores import Chores
from ephemera.platform.clock import Clock
from ephemera.platform.machines import happenings
from ephemera.platform.machines.driving import REFUSED, Driving
from ephemera.platform.machines.ledger import Ledger
from ephemera.platform.machines.voice import Voice
from ephemera.platform.states import Event, State


class Sleep:
    """Freezes and thaws the program of one machine.

    Args:
        stop: Has a machine stopped that is `suspending` and cannot be frozen.
    """

    def __init__(
        self,
        ledger: Ledger,
        driving: Driving,
        chores: Chores,
        voice: Voice,
        clock: Clock,
        stop: Callable[[DriverError], None],
    ) -> None:
        self._ledger = ledger
        self._driving = driving
        self._chores = chores
        self._voice = voice
        self._clock = clock
        self._stop = stop
        self._thaw_asked_at = 0.0

    def freeze(self) -> None:
        """Have the program of a machine frozen that is `suspending`."""
        self._chores.begin(self._freeze(self._ledger.record.handle))

    def thaw(self) -> None:
        """Have a frozen program go on: it is `starting` with the boot that it has."""
        self._thaw_asked_at = self._clock()
        self._chores.begin(self._thaw(self._ledger.record.handle))

    def seen_thawed(self, handle: str) -> None:
        """Its program goes on, if it still is that of the boot that was asked to."""
        record = self._ledger.record
        if record.state is State.STARTING and record.handle == handle:
            resumed = happenings.resumed(record.id, self._clock())
            self._ledger.move(Event.BOOTED, [resumed])
            self._voice.started(self._clock() - self._thaw_asked_at, resumed=True)

    def _seen_frozen(self, handle: str) -> None:
        record = self._ledger.record
        if record.state is State.SUSPENDING and record.handle == handle:
            self._ledger.move(Event.FROZEN, [happenings.suspended(record.id, self._clock())])
            self._voice.say("Virtual machine has been suspended")

    def _seen_awake(self, handle: str, error: DriverError) -> None:
        record = self._ledger.record
        if record.state is State.SUSPENDING and record.handle == handle:
            self._stop(error)

    async def _freeze(self, handle: str) -> None:
        try:
            await self._driving.suspend(handle)
        except REFUSED as caught:
            error = caught
            await self._ledger.note(lambda: self._seen_awake(handle, error))
            return
        await self._ledger.note(lambda: self._seen_frozen(handle))

    async def _thaw(self, handle: str) -> None:
        await self._driving.resume(handle)
        await self._ledger.note(lambda: self.seen_thawed(handle))
