"""The end of a machine: nothing is left of it, because somebody asked or `auto_destroy` says so.

```
stopped, failed ──auto_destroy──► destroying ──driver.destroy──► destroyed
```
"""

from __future__ import annotations

from signal import SIGKILL

from ephemera.platform.chores import Chores
from ephemera.platform.machines import happenings
from ephemera.platform.machines.driving import Driving
from ephemera.platform.machines.ledger import Ledger
from ephemera.platform.machines.surroundings import Surroundings
from ephemera.platform.states import Event, State


class Removal:
    """Takes one machine away."""

    def __init__(
        self, ledger: Ledger, driving: Driving, chores: Chores, around: Surroundings
    ) -> None:
        self._ledger = ledger
        self._driving = driving
        self._chores = chores
        self._around = around

    def begin(self) -> None:
        """Have nothing left of a machine that is `destroying` and has no program."""
        self._chores.begin(self._destroy())

    def begin_if_wanted(self) -> None:
        """Take away a machine that has come to rest, if it is to go by itself."""
        if self._ledger.record.config.get("auto_destroy"):
            self._chores.begin(self._ledger.note(self._by_itself))

    def _by_itself(self) -> None:
        record, now = self._ledger.record, self._around.clock()
        if record.state in (State.STOPPED, State.FAILED):  # nobody has started it since
            asked = happenings.destroy_asked(record.id, now, "flyd")
            ending = {"handle": "", "stop_signal": int(SIGKILL), "stop_by": now}
            self._ledger.move(Event.DESTROY, [asked], **ending)
            self.begin()

    async def _destroy(self) -> None:
        await self._driving.destroy()
        await self._ledger.note(self._seen_gone)

    def _seen_gone(self) -> None:
        record = self._ledger.record
        # Its files, which may be a megabyte, are of no use to anybody any more.
        config = {name: value for name, value in record.config.items() if name != "files"}
        gone = [happenings.destroyed(record.id, self._around.clock())]
        self._ledger.move(Event.GONE, gone, config=config)
        self._around.forget(self._ledger.record)
