"""What reaches the program of a machine: signals, commands beside it, and looks at what it uses."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ephemera.platform import refusals
from ephemera.platform.drivers.base import Driver, Executed, Memory, ProcessStat, Terminal
from ephemera.platform.machines.ledger import Ledger
from ephemera.platform.states import State


class Inside:
    """The inside of one machine, which can be reached while it is started.

    Every method raises a `Refusal` (412) where it is not.
    """

    def __init__(self, driver: Driver, ledger: Ledger) -> None:
        self._driver = driver
        self._ledger = ledger

    async def tell(self, signum: int) -> None:
        """Send a signal to its program."""
        await self._driver.signal(self._started("signal"), signum)

    async def exec(self, command: Sequence[str], stdin: bytes, timeout: float) -> Executed:
        """Run a command beside its program."""
        handle = self._started("exec in")
        return await self._driver.exec(handle, command, stdin=stdin, timeout=timeout)

    async def terminal(self, command: Sequence[str], *, rows: int, columns: int) -> Terminal:
        """Run a command beside its program, with a terminal."""
        driver, record = self._driver, self._ledger.record
        if not driver.capabilities.consoles:
            raise refusals.unsupported(f"terminals with the '{driver.name}' driver")
        if driver.capabilities.remains and record.state in (State.STOPPED, State.FAILED):
            raise refusals.no_terminal_at_rest(record.state)
        handle = self._started("open a terminal in")
        return await driver.terminal(handle, command, rows=rows, columns=columns)

    @property
    def has_terminals(self) -> bool:
        """Whether `terminal` is to be had now, as far as the record tells."""
        is_started = self._ledger.record.state is State.STARTED
        return self._driver.capabilities.consoles and is_started

    async def ps(self) -> Sequence[ProcessStat]:
        """Return its processes."""
        return await self._driver.ps(self._started("list processes of"))

    async def memory(self) -> Memory:
        """Return how much memory it may use, and how much of that it does not.

        Where the driver has no say in it, that is what its config asks for, and what its
        processes do not use of it.
        """
        handle = self._started("read memory of")
        if self._driver.capabilities.balloons:
            return await self._driver.memory(handle)
        limit_mb = int(self._ledger.record.config["guest"]["memory_mb"])
        used = sum(process.rss for process in await self._driver.ps(handle))
        return Memory(limit_mb, max(0, limit_mb - math.ceil(used / 1024**2)))

    async def limit_memory(self, limit_mb: int) -> Memory:
        """Limit its memory until it ends, and return what it has then."""
        guest = self._ledger.record.config["guest"]
        most = guest.get("max_memory_mb") or guest["memory_mb"]
        if not 1 <= limit_mb <= most:
            raise refusals.invalid(f"limit_mb {limit_mb} is not from 1 to {most}")
        handle = self._ballooning("limit memory of")
        await self._driver.set_memory_limit(handle, limit_mb)
        return await self._driver.memory(handle)

    async def reclaim_memory(self, amount_mb: int) -> int:
        """Take memory back that it does not need; return how much that was, in MB."""
        if amount_mb < 0:
            raise refusals.invalid(f"amount_mb {amount_mb} is less than nothing")
        handle = self._ballooning("reclaim memory of")
        return await self._driver.reclaim_memory(handle, amount_mb)

    def _started(self, verb: str) -> str:
        """Return the handle of its boot, if its program runs."""
        if self._ledger.record.state is not State.STARTED:
            raise refusals.wrong_state(verb, self._ledger.record.state)
        return self._ledger.record.handle

    def _ballooning(self, verb: str) -> str:
        if not self._driver.capabilities.balloons:
            raise refusals.unsupported(f"memory limits with the '{self._driver.name}' driver")
        return self._started(verb)
