"""Taking an app away: its machines, its files, and at last its rows.

```
leave (written down) ─► destroy its machines ─► what it has elsewhere ─► its rows
```

Every step may be repeated. A server that was killed in between finds the app among those that
leave, and goes through the steps once more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from sqlalchemy.exc import OperationalError

from ephemera.platform import refusals
from ephemera.platform.apps.registry import Apps
from ephemera.platform.chores import Chores
from ephemera.platform.machines.owner import Owner
from ephemera.platform.records import AppRecord, MachineRecord
from ephemera.platform.refusals import Refusal
from ephemera.platform.states import BUSY, State

_log = logging.getLogger(__name__)

#: How long to wait before going on where the disk refused.
_RETRY_S = 1.0
#: How long a machine may take to be gone before it is asked about again. There is no limit.
_LOOK_AGAIN_S = 60.0


class Removals:
    """Takes apps away, in the background.

    Args:
        owners: Says whose machines are still there.
        take_away: Removes what an app has on disk and in memory, once it has no machine any more.
            Its rows go by themselves, see `rows`.
    """

    def __init__(
        self,
        apps: Apps,
        owners: Callable[[AppRecord], Sequence[Owner]],
        take_away: Callable[[AppRecord], Awaitable[None]],
    ) -> None:
        self._apps = apps
        self._owners = owners
        self._take_away = take_away
        self._chores = Chores("an app that leaves")

    async def remove(self, app: AppRecord, *, force: bool, wait: float) -> None:
        """Have an app taken away; return when nothing of it is left, or after `wait` seconds.

        It goes on in any case, also when the caller is cancelled, or the server is killed.

        Raises:
            Refusal: it has machines that are not stopped, and `force` is not given.
        """
        busy = [owner for owner in self._owners(app) if owner.record.state in BUSY]
        if busy and not force:
            raise refusals.app_has_machines(len(busy))
        self._apps.leave(app)
        await asyncio.wait([self.begin(app)], timeout=wait)

    def begin(self, app: AppRecord) -> asyncio.Task[None]:
        """Begin to take away an app that leaves, or go on with it."""
        return self._chores.begin(self._until_gone(app))

    async def close(self) -> None:
        """Let go; the next server goes on."""
        await self._chores.close()

    async def _until_gone(self, app: AppRecord) -> None:
        while True:
            try:
                return await self._go_through(app)
            except (OperationalError, OSError):
                _log.exception("app %s cannot be taken away yet", app.id)
                await asyncio.sleep(_RETRY_S)
            except Refusal:  # the server is about to stop
                return None

    async def _go_through(self, app: AppRecord) -> None:
        while owners := self._owners(app):  # one that was being made is seen the next time
            for owner in owners:
                owner.ask_destroy(force=True)
            for owner in owners:
                await owner.ledger.until(_is_destroyed, _LOOK_AGAIN_S)
        await self._take_away(app)
        self._apps.forget(app)


def _is_destroyed(record: MachineRecord) -> bool:
    return record.state is State.DESTROYED
