"""The checks of all machines: one task for each, while its machine is started.

What they find is kept in memory only: a server that starts finds it out again. A machine without
checks costs nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ephemera.platform.checks.asking import Asker, Finding
from ephemera.platform.clock import Clock, sleep
from ephemera.platform.configs import HealthCheck, health_checks, stored
from ephemera.platform.logs import Logs, timestamp
from ephemera.platform.machines.chores import Chores
from ephemera.platform.records import EventRecord, MachineRecord
from ephemera.platform.refusals import Refusal
from ephemera.platform.states import State

PASSING, WARNING, CRITICAL = "passing", "warning", "critical"


@dataclass(slots=True)
class _Seen:
    """One check, and what it has found so far."""

    check: HealthCheck
    status: str
    output: str
    updated_at: float
    #: Whether it has found anything.
    asked: bool = False


@dataclass(frozen=True, slots=True)
class _Watch:
    """The checks of one boot."""

    boot: tuple[str, int]
    seen: Sequence[_Seen]
    tasks: Chores


class Checks:
    """Checks machines for as long as they are started.

    Args:
        address: Returns where a machine's programs listen.
    """

    def __init__(self, clock: Clock, logs: Logs, address: Callable[[MachineRecord], str]) -> None:
        self._clock = clock
        self._logs = logs
        self._address = address
        self._asker = Asker()
        self._watches: dict[str, _Watch] = {}
        self._ending: set[asyncio.Task[None]] = set()

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

    async def close(self) -> None:
        """Check nothing any more."""
        for watch in self._watches.values():
            self._end(watch)
        self._watches.clear()
        await asyncio.gather(*self._ending)
        await self._asker.close()

    def _begin(self, record: MachineRecord, boot: tuple[str, int]) -> None:
        begun = record.updated_at
        seen = [
            _Seen(check, WARNING if check.grace_s else CRITICAL, "not checked yet", begun)
            for check in _checks_of(record)
        ]
        tasks = Chores(record.id)
        self._watches[record.id] = _Watch(boot, seen, tasks)
        for one in seen:
            tasks.begin(self._watch(record, one))

    def _end(self, watch: _Watch) -> None:
        task = asyncio.get_running_loop().create_task(watch.tasks.close())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _watch(self, record: MachineRecord, seen: _Seen) -> None:
        grace_left = seen.updated_at + seen.check.grace_s - self._clock()
        if grace_left > 0:
            await sleep(self._clock, grace_left)
        while True:
            finding = await self._asker.ask(seen.check, self._address(record))
            self._note(record, seen, finding)
            await sleep(self._clock, seen.check.interval_s)

    def _note(self, record: MachineRecord, seen: _Seen, finding: Finding) -> None:
        changed = not seen.asked or finding.passing != (seen.status == PASSING)
        seen.asked = True
        seen.status = PASSING if finding.passing else CRITICAL
        seen.output, seen.updated_at = finding.output, self._clock()
        if changed:
            self._say(record, seen.check, passing=finding.passing)

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
