"""The checks of all machines: one task for each, while its machine is started.

What they find is kept in memory only: a server that starts finds it out again. A machine without
checks costs nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from ephemera.platform.checks.asking import Asker, Finding
from ephemera.platform.chores import Chores
from ephemera.platform.clock import Clock, sleep
from ephemera.platform.configs import HealthCheck, health_checks, stored
from ephemera.platform.dialing import SocketTo
from ephemera.platform.logs import Logs, timestamp
from ephemera.platform.records import EventRecord, MachineRecord
from ephemera.platform.refusals import Refusal
from ephemera.platform.states import State

PASSING, WARNING, CRITICAL = "passing", "warning", "critical"
#: How soon a check is asked again that has not passed since the boot. Steps grow with the age of
#: the boot, so that whoever waits for the machine waits a quarter longer than it took, at most.
_SOON_S = 0.02
_SOON_SHARE = 0.25


class Standing(Enum):
    """What some checks of a machine say of it, taken together."""

    #: All of them pass.
    GOOD = auto()
    #: One of them has not passed since the boot.
    NOT_YET = auto()
    #: One of them has passed, and does not any more.
    BAD = auto()


@dataclass(slots=True)
class _Seen:
    """One check, and what it has found so far."""

    check: HealthCheck
    status: str
    output: str
    updated_at: float
    #: When the boot began to be watched.
    begun_at: float = 0.0
    #: Whether it has found anything.
    asked: bool = False
    #: Whether it has passed since the boot.
    passed: bool = False
    #: Set where it is to be asked at once.
    hurried: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True)
class _Watch:
    """The checks of one boot."""

    boot: tuple[str, int]
    seen: Sequence[_Seen]
    tasks: Chores


class Checks:
    """Checks machines for as long as they are started.

    Args:
        addresses: Returns where a machine's programs may listen.
        socket_to: Returns by which socket an address is reached.
    """

    def __init__(
        self,
        clock: Clock,
        logs: Logs,
        addresses: Callable[[MachineRecord], Sequence[str]],
        socket_to: SocketTo,
    ) -> None:
        self._clock = clock
        self._logs = logs
        self._addresses = addresses
        self._asker = Asker(socket_to)
        #: Told of each machine of which a check found something else than before.
        self.observers: list[Callable[[str], None]] = []
        self._watches: dict[str, _Watch] = {}
        self._ending = Chores("checks that end")

    def moved(self, record: MachineRecord, _happened: Sequence[EventRecord] = ()) -> None:
        """Look at a machine that was written, or read when the server started."""
        watch = self._watches.get(record.id)
        if watch is None and (record.state is not State.STARTED or not _has_checks(record.config)):
            return
        boot = (record.instance_id, record.boot)
        if watch and (record.state is not State.STARTED or watch.boot != boot):
            del self._watches[record.id]
            self._end(watch)
            watch = None
        if watch is None and record.state is State.STARTED and _has_checks(record.config):
            self._begin(record, boot)

    def results(self, record: MachineRecord) -> list[dict[str, Any]]:
        """Return what the checks of a machine found, as the API shows it."""
        if not _has_checks(record.config):
            return []
        watch = self._watches.get(record.id)
        if watch:
            return [_shown(one) for one in watch.seen]
        output = f"the machine is {record.state}"
        return [
            _shown(_Seen(check, CRITICAL, output, record.updated_at))
            for check in _checks_of(record)
        ]

    def standing(self, machine_id: str, names: Sequence[str]) -> Standing:
        """Return what the checks of these names say of a machine; good where there are none."""
        watch = self._watches.get(machine_id)
        seen = [one for one in watch.seen if one.check.name in names] if watch else []
        if any(not one.passed for one in seen) or (names and watch is None):
            return Standing.NOT_YET
        bad = any(one.status != PASSING for one in seen)
        return Standing.BAD if bad else Standing.GOOD

    def complaint(self, machine_id: str, names: Sequence[str]) -> str:
        """Return what the first of these checks says that does not pass; empty if all do."""
        watch = self._watches.get(machine_id)
        for one in watch.seen if watch else ():
            if one.check.name in names and one.status != PASSING:
                said = one.output.partition("\n")[0]
                return f"check '{one.check.name}' on port {one.check.port} does not pass: {said}"
        return ""

    def hurry(self, machine_id: str) -> None:
        """Ask a machine at once that has not passed since its boot: there is reason to hope."""
        watch = self._watches.get(machine_id)
        for one in watch.seen if watch else ():
            one.hurried.set()

    async def close(self) -> None:
        """Check nothing any more."""
        for watch in self._watches.values():
            self._end(watch)
        self._watches.clear()
        await self._ending.finish()

    def _begin(self, record: MachineRecord, boot: tuple[str, int]) -> None:
        begun = record.updated_at
        seen = [
            _Seen(check, WARNING if check.grace_s else CRITICAL, "not checked yet", begun, begun)
            for check in _checks_of(record)
        ]
        tasks = Chores(f"machine {record.id}")
        self._watches[record.id] = _Watch(boot, seen, tasks)
        for one in seen:
            tasks.begin(self._watch(record, one))

    def _end(self, watch: _Watch) -> None:
        self._ending.begin(watch.tasks.close())

    async def _watch(self, record: MachineRecord, seen: _Seen) -> None:
        while True:
            finding = await self._asker.ask(seen.check, self._addresses(record))
            in_grace = self._clock() < seen.begun_at + seen.check.grace_s
            if finding.passing or not in_grace:
                self._note(record, seen, finding)
            else:
                seen.output, seen.updated_at = finding.output, self._clock()
            if seen.passed:
                await sleep(self._clock, seen.check.interval_s)
            else:
                await self._short_pause(seen)

    async def _short_pause(self, seen: _Seen) -> None:
        """Wait for a part of the age of the boot, or until somebody is in a hurry."""
        step = max(_SOON_S, _SOON_SHARE * (self._clock() - seen.begun_at))
        with suppress(TimeoutError):
            async with asyncio.timeout(min(step, seen.check.interval_s)):
                await seen.hurried.wait()
        seen.hurried.clear()

    def _note(self, record: MachineRecord, seen: _Seen, finding: Finding) -> None:
        changed = not seen.asked or finding.passing != (seen.status == PASSING)
        seen.asked = True
        seen.passed = seen.passed or finding.passing
        seen.status = PASSING if finding.passing else CRITICAL
        seen.output, seen.updated_at = finding.output, self._clock()
        if changed:
            self._say(record, seen.check, passing=finding.passing)
            for observe in self.observers:
                observe(record.id)

    def _say(self, record: MachineRecord, check: HealthCheck, *, passing: bool) -> None:
        what = f"Health check '{check.name}' on port {check.port}"
        self._logs.say(
            record.app_id,
            record.id,
            record.region,
            f"{what} is now passing." if passing else f"{what} has failed.",
            level="info" if passing else "error",
            provider="health",
        )


def _has_checks(config: dict[str, Any]) -> bool:
    services = config.get("services") or ()
    return bool(config.get("checks")) or any(service.get("checks") for service in services)


def _checks_of(record: MachineRecord) -> list[HealthCheck]:
    """Return the checks of a machine; none where an older version accepted what cannot be."""
    try:
        return health_checks(stored(record.config))
    except Refusal:
        return []


def _shown(seen: _Seen) -> dict[str, Any]:
    return {
        "name": seen.check.name,
        "status": seen.status,
        "output": seen.output,
        "updated_at": timestamp(seen.updated_at),
    }
