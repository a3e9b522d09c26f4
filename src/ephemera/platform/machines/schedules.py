"""Machines that are started every hour, day, week or month.

Runs count from when the machine was created; a month is one of the calendar. When the next one
is due is a column of the machine (`run_at`), so a run that came due while no server was there is
made up for, once, by the next server. A machine that is not at rest when its time comes is left
alone until the time after.

Source: the API's documentation of `schedule`; it calls the times approximate, ours are not.
"""

from __future__ import annotations

import calendar
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from ephemera.platform.clock import Alarm, Clock
from ephemera.platform.records import EventRecord, MachineRecord
from ephemera.platform.states import State

_INTERVAL_S = {"hourly": 3600.0, "daily": 86_400.0, "weekly": 7 * 86_400.0}
#: No alarm is set further ahead: a computer that sleeps stops the clock that alarms go by.
_ALARM_MAX_S = 600.0
_NO_MORE_RUNS = frozenset({State.DESTROYING, State.DESTROYED})


def next_run(schedule: str | None, created_at: float, now: float) -> float | None:
    """Return when a machine is to be started next, after `now`; None without a schedule.

    Args:
        schedule: `hourly`, `daily`, `weekly` or `monthly`; empty for none.
        created_at: When the machine was created; seconds since 1970.
        now: Seconds since 1970.
    """
    if not schedule:
        return None
    if schedule == "monthly":
        return _next_month(created_at, now)
    interval = _INTERVAL_S[schedule]
    runs = max(0, int((now - created_at) // interval))
    return created_at + (runs + 1) * interval


def _next_month(created_at: float, now: float) -> float:
    """Return the same time of the same day of a month; of its last day where it is shorter."""
    first, today = datetime.fromtimestamp(created_at, UTC), datetime.fromtimestamp(now, UTC)
    months = (today.year - first.year) * 12 + today.month - first.month
    due = _months_later(first, max(1, months))
    return due if due > now else _months_later(first, months + 1)


def _months_later(first: datetime, months: int) -> float:
    year, month = divmod(first.year * 12 + first.month - 1 + months, 12)
    last_day = calendar.monthrange(year, month + 1)[1]
    day = min(first.day, last_day)
    return first.replace(year=year, month=month + 1, day=day).timestamp()


class Schedules:
    """Has machines run when they are due.

    Args:
        run: Has a machine run now, by its id, and its next run written down.
    """

    def __init__(self, clock: Clock, run: Callable[[str], None]) -> None:
        self._clock = clock
        self._run = run
        self._due: dict[str, tuple[float, Alarm]] = {}

    def moved(self, record: MachineRecord, _happened: Sequence[EventRecord] = ()) -> None:
        """Look at a machine that was written, or read when the server started."""
        run_at = None if record.state in _NO_MORE_RUNS else record.run_at
        known = self._due.get(record.id)
        if (known and known[0]) == run_at:
            return
        if known:
            known[1].cancel()
            del self._due[record.id]
        if run_at is not None:
            self._set(record.id, run_at)

    def close(self) -> None:
        """Have nothing run any more."""
        for _, alarm in self._due.values():
            alarm.cancel()
        self._due.clear()

    def _set(self, machine_id: str, run_at: float) -> None:
        when = min(run_at, self._clock() + _ALARM_MAX_S)
        alarm = self._clock.call_at(when, lambda: self._rung(machine_id, run_at))
        self._due[machine_id] = (run_at, alarm)

    def _rung(self, machine_id: str, run_at: float) -> None:
        if self._clock() < run_at:
            self._set(machine_id, run_at)
        else:
            self._run(machine_id)
