"""What is written down of one machine, and who waits for it to change.

The record in memory is what the store has: it is replaced when a commit is done, never before.
Only a move that nobody relies on may be ahead of the store, until the next one takes it there.
Whoever waits for the machine to be in some way looks at each of them.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from sqlalchemy.exc import OperationalError

from ephemera.platform import refusals
from ephemera.platform.machines.happenings import EVENTS_MAX
from ephemera.platform.records import EventRecord, MachineRecord
from ephemera.platform.states import Event, State, after
from ephemera.platform.store import Store

_log = logging.getLogger(__name__)

_T = TypeVar("_T")

#: Told of each write of a machine: the record as it is now, and what happened, oldest first.
Observer = Callable[[MachineRecord, Sequence[EventRecord]], None]

#: Returns when a machine may go on by itself. At once, but where a test wants it stuck.
Hold = Callable[["Ledger"], Awaitable[None]]

#: How long to wait before trying again to write down what was seen, when the disk is full.
_STORE_RETRY_S = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class _Waiter:
    """Somebody who waits for the machine to be as they want it."""

    look: Callable[[MachineRecord], Any]
    seen: asyncio.Future[Any]


class Ledger:
    """The record and the events of one machine.

    Args:
        moved: Told of each write, once it is on disk.
        happened: Its events, newest first, where they are known; else they are read when they
            are needed.
        hold: Waited for before anything that was seen is written down.
    """

    def __init__(
        self,
        record: MachineRecord,
        store: Store,
        clock: Callable[[], float],
        moved: Observer,
        happened: Sequence[EventRecord] | None = None,
        hold: Hold | None = None,
    ) -> None:
        self.record = record
        #: As the store has it.
        self._stored = record
        #: What is different in the record.
        self._ahead: dict[str, Any] = {}
        self._store = store
        self._clock = clock
        self._moved = moved
        self._hold = hold
        self._events = None if happened is None else deque(happened, maxlen=EVENTS_MAX)
        self._waiters: set[_Waiter] = set()
        self._closed = False

    def events(self) -> list[EventRecord]:
        """Return the newest events, newest first, at most `EVENTS_MAX`."""
        if self._events is None:
            newest = self._store.events(self.record.id, EVENTS_MAX)
            self._events = deque(newest, maxlen=EVENTS_MAX)
        return list(self._events)

    def has_event(self, event_id: str) -> bool:
        """Whether this ever happened to the machine, as far as that is remembered."""
        known = any(event.id == event_id for event in self.events())
        return known or self._store.has_event(self.record.id, event_id)

    async def until(self, look: Callable[[MachineRecord], _T | None], timeout: float) -> _T | None:
        """Return what `look` finds as soon as that is anything, None after `timeout` seconds.

        No write is missed: a state that lasts for a moment only is seen too.

        Raises:
            Refusal: the server is about to stop.
        """
        if found := look(self.record):
            return found
        if self._closed:
            raise refusals.stopping_server()
        seen: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
        waiter = _Waiter(look, seen)
        self._waiters.add(waiter)
        try:
            await asyncio.wait([seen], timeout=timeout)
        finally:
            self._waiters.discard(waiter)
        return seen.result() if seen.done() else None

    def release(self) -> None:
        """Send away everybody who waits; the server is about to stop."""
        self._closed = True
        for waiter in self._waiters:
            if not waiter.seen.done():
                waiter.seen.set_exception(refusals.stopping_server())

    def move(
        self,
        event: Event,
        happened: Sequence[EventRecord] = (),
        **changes: Any,
    ) -> None:
        """Make a move of the state table, with what happened and what else changes.

        Raises:
            IllegalMove: the table has no such move; nothing was written.
        """
        self.write(happened, state=after(self.record.state, event), **changes)

    def move_ahead(self, event: Event, **changes: Any) -> None:
        """Make a move that is written down with the next one.

        Whoever reads the store before that must come to the same move by itself.

        Raises:
            IllegalMove: the table has no such move.
        """
        changes |= {"state": after(self.record.state, event), "updated_at": self._clock()}
        self._ahead |= changes
        self.record = replace(self.record, **changes)
        self._tell(())

    def write(self, happened: Sequence[EventRecord] = (), **changes: Any) -> None:
        """Write down what happened and what changes, in one transaction."""
        if happened:
            self.events()  # read before they are more
        self.record = self._put_down(happened, changes)
        self._tell(happened)

    def move_through(
        self, moves: Sequence[tuple[Event, Sequence[EventRecord]]], **changes: Any
    ) -> None:
        """Make several moves that were seen at once, in one transaction.

        Whoever waits, or is told of moves, sees the machine after each of them.

        Args:
            moves: Each with what happened.
            changes: What else changes with the first.

        Raises:
            IllegalMove: the table has no such move; nothing was written.
        """
        self.events()  # read before they are more
        state, states = self.record.state, list[State]()
        for event, _ in moves:
            state = after(state, event)
            states.append(state)
        happened = [one for _, its in moves for one in its]
        whole = self._put_down(happened, {**changes, "state": state})
        for state, (_, its) in zip(states, moves, strict=True):
            self.record = replace(whole, state=state)
            self._tell(its)

    def _put_down(self, happened: Sequence[EventRecord], changes: dict[str, Any]) -> MachineRecord:
        """Have it in the store, with what was ahead of that, and return the machine as it is."""
        whole = self._ahead | changes | {"updated_at": self._clock()}
        self._stored = self._store.move_machine(self._stored, happened, **whole)
        self._ahead = {}
        return self._stored

    async def note(self, seen: Callable[[], _T]) -> _T:
        """Have `seen` write down what was seen, if need be when the disk has room again."""
        if self._hold:
            await self._hold(self)
        while True:
            try:
                return seen()
            except OperationalError:
                _log.exception("machine %s: the store cannot be written", self.record.id)
                await asyncio.sleep(_STORE_RETRY_S)

    def _tell(self, happened: Sequence[EventRecord]) -> None:
        if self._events is not None:
            self._events.extendleft(happened)
        for waiter in self._waiters:
            if not waiter.seen.done() and (found := waiter.look(self.record)):
                waiter.seen.set_result(found)
        self._moved(self.record, happened)
