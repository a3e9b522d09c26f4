"""The faults that were asked for, and which of them strikes when.

A fault waits for what it matches: a request, the boot of a machine, or a machine in a state. It
lets `after` of them pass, strikes the next `times`, and is spent.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from types import UnionType

from ephemera.platform.faults import presets
from ephemera.platform.faults.orders import Effect, Error, OfBoots, OfRequests, Order, Stuck
from ephemera.platform.machines.ledger import Ledger
from ephemera.platform.records import MachineRecord
from ephemera.wire.ids import new_ulid


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, as faults look at it."""

    method: str
    path: str


@dataclass(eq=False)
class Fault:
    """A fault on the menu."""

    id: str
    order: Order
    #: How many it has let pass.
    passed: int = 0
    #: How many times it has struck.
    hits: int = 0

    def strikes(self) -> bool:
        """Count one more that it matches; return whether it is struck."""
        if self.passed < self.order.after:
            self.passed += 1
            return False
        if self.order.times is not None and self.hits >= self.order.times:
            return False
        self.hits += 1
        return True

    def is_about(self, asked: Asked) -> bool:
        """Whether it matches a request."""
        method, path = self._where
        if method not in (None, asked.method) or not (path is None or path.fullmatch(asked.path)):
            return False
        named = _NAMES_IN_PATH.match(asked.path)
        return self.concerns(*named.groups("")) if named else self.concerns("", "")

    def concerns(self, app: str, machine: str, image: str = "") -> bool:
        """Whether it matches a machine, or an app without one."""
        match = self.order.match
        return (
            match.app in (None, app)
            and match.machine in (None, machine)
            and match.image in (None, image)
        )

    @cached_property
    def _where(self) -> tuple[str | None, re.Pattern[str] | None]:
        """The method and the path of the requests that it is about."""
        effect, match = self.order.effect, self.order.match
        method, path = match.method, match.path
        if method is path is None and isinstance(effect, Error) and effect.preset:
            preset = presets.PRESETS[effect.preset]
            method, path = preset.method, preset.path
        return method, None if path is None else _pattern(path)


_NAMES_IN_PATH = re.compile(r"/v1/apps/([^/]+)(?:/machines/([^/]+))?")


def _pattern(path: str) -> re.Pattern[str]:
    pieces = re.split(r"\{\w+\}", path)
    return re.compile("[^/]+".join(re.escape(piece) for piece in pieces))


class Menu:
    """The faults of one platform, oldest first; the oldest that matches is the one that strikes."""

    def __init__(self) -> None:
        self._faults: dict[str, Fault] = {}
        self._changed = asyncio.Event()

    def add(self, order: Order) -> Fault:
        """Put a fault on the menu."""
        fault = Fault(new_ulid(), order)
        self._faults[fault.id] = fault
        return fault

    def faults(self) -> list[Fault]:
        """Return all of them, spent ones too."""
        return list(self._faults.values())

    def get(self, fault_id: str) -> Fault | None:
        """Return a fault by its id."""
        return self._faults.get(fault_id)

    def remove(self, *fault_ids: str) -> None:
        """Take faults away; what is stuck goes on. Unknown ones are fine."""
        for fault_id in fault_ids:
            self._faults.pop(fault_id, None)
        self.stir()

    def stir(self) -> None:
        """Have everything that is stuck look whether it still is."""
        self._changed.set()
        self._changed = asyncio.Event()

    def for_request(self, asked: Asked) -> Effect | None:
        """Return what happens to a request, if anything does."""
        return self._struck(OfRequests, lambda fault: fault.is_about(asked))

    def for_boot(self, app: str, machine: str, image: str) -> Effect | None:
        """Return what happens to a boot, if anything does."""
        return self._struck(OfBoots, lambda fault: fault.concerns(app, machine, image))

    async def hold(self, app: str, ledger: Ledger) -> None:
        """Return when no fault wants the machine of this ledger stuck where it is.

        What a caller asks for moves it all the same.
        """
        held_by = None
        while fault := self._holding(app, ledger.record):
            fault.hits += fault is not held_by
            held_by = fault
            await self._changed.wait()

    def _holding(self, app: str, machine: MachineRecord) -> Fault | None:
        for fault in self._faults.values():
            effect = fault.order.effect
            stuck = isinstance(effect, Stuck) and effect.state is machine.state
            if stuck and fault.concerns(app, machine.id):
                return fault
        return None

    def _struck(self, kinds: UnionType, matches: Callable[[Fault], bool]) -> Effect | None:
        for fault in self._faults.values():
            effect: Effect = fault.order.effect
            if isinstance(effect, kinds) and matches(fault) and fault.strikes():
                return effect
        return None
