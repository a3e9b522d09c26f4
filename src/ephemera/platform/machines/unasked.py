"""What happens to machines without anybody asking: checks, schedules, and standing by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from ephemera.platform.checks.watching import Checks
from ephemera.platform.clock import Clock
from ephemera.platform.dialing import SocketTo
from ephemera.platform.logs import Logs
from ephemera.platform.machines.owner import Owner
from ephemera.platform.machines.schedules import Schedules, next_run
from ephemera.platform.machines.standbys import Standbys
from ephemera.platform.records import EventRecord, MachineRecord


class Unasked:
    """Looks at every write of a machine, and has done what follows from it.

    Args:
        owner: Returns who moves a machine that lives, by its id; None where there is none.
        addresses: Returns where the programs of a machine may listen.
        socket_to: Returns by which socket an address is reached.
    """

    def __init__(
        self,
        clock: Clock,
        logs: Logs,
        owner: Callable[[str], Owner | None],
        addresses: Callable[[MachineRecord], Sequence[str]],
        socket_to: SocketTo,
    ) -> None:
        self.checks = Checks(clock, logs, addresses, socket_to)
        self._clock = clock
        self._owner = owner
        self._schedules = Schedules(clock, self._run)
        self._standbys = Standbys(self._start)

    def open(self, owners: Iterable[Owner]) -> None:
        """Go on with the machines that live when the server starts."""
        for owner in owners:
            self.moved(owner.record, ())
        self._standbys.resume(self._events)

    def moved(self, record: MachineRecord, happened: Sequence[EventRecord]) -> None:
        """Look at a machine that was written. What follows is done later, not inside the move."""
        self.checks.moved(record)
        self._schedules.moved(record)
        self._standbys.moved(record, happened)

    async def close(self) -> None:
        """Do nothing any more."""
        self._schedules.close()
        await self.checks.close()

    def _run(self, machine_id: str) -> None:
        owner = self._owner(machine_id)
        if owner:
            record = owner.record
            again = next_run(record.config.get("schedule"), record.created_at, self._clock())
            owner.unasked_starts.soon(run_at=again)

    def _start(self, machine_id: str) -> None:
        owner = self._owner(machine_id)
        if owner:
            owner.unasked_starts.soon()

    def _events(self, machine_id: str) -> Iterable[EventRecord]:
        owner = self._owner(machine_id)
        return owner.ledger.events() if owner else ()
