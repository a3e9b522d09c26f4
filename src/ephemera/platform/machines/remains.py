"""What the program of a machine leaves when it ends: its file system, until it is run again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence

from ephemera.platform import refusals
from ephemera.platform.drivers.base import BootSpec, Driver, Terminal
from ephemera.platform.machines.ledger import Ledger
from ephemera.platform.records import MachineRecord
from ephemera.platform.states import State

#: In these its newest boot is over, and nothing has been done about the machine since.
_AT_REST = frozenset({State.STOPPED, State.FAILED})
#: In these it has a file system, which its program may be writing to.
_THERE = _AT_REST | {State.STARTED, State.STOPPING, State.SUSPENDING, State.SUSPENDED}


class Remains:
    """The file system of one machine's newest boot.

    Every method raises a `Refusal`: 400 where the driver keeps none, 412 where there is none.
    """

    def __init__(
        self, driver: Driver, ledger: Ledger, boot_spec: Callable[[MachineRecord], BootSpec]
    ) -> None:
        self._driver = driver
        self._ledger = ledger
        self._boot_spec = boot_spec

    @property
    def can_be_looked_at(self) -> bool:
        """Whether there is something to look at, as far as the record tells."""
        return self._is_there(_AT_REST)

    @property
    def can_be_exported(self) -> bool:
        """Whether there is a file system, as far as the record tells."""
        return self._is_there(_THERE)

    async def look(self, command: Sequence[str], *, rows: int, columns: int) -> Terminal:
        """Run a command in a copy of it, with a terminal."""
        spec = self._spec("look into", _AT_REST)
        return await self._driver.look(spec, command, rows=rows, columns=columns)

    def export(self) -> AsyncIterator[bytes]:
        """Yield it as a tar archive."""
        return self._driver.export(self._spec("export", _THERE))

    def _is_there(self, states: frozenset[State]) -> bool:
        record = self._ledger.record
        return self._driver.capabilities.remains and record.state in states and bool(record.handle)

    def _spec(self, verb: str, states: frozenset[State]) -> BootSpec:
        record = self._ledger.record
        if not self._driver.capabilities.remains:
            what = f"{verb} a machine with the '{self._driver.name}' driver, which keeps no files"
            raise refusals.unsupported(what)
        if record.state not in states:
            raise refusals.wrong_state(verb, record.state)
        if not record.handle:
            raise refusals.nothing_left(verb)
        return self._boot_spec(record)
