"""What time it is for the platform, and being called at a time.

Everything on the platform that depends on the time of day (leases, tokens, schedules, the pause
before a restart, the time that a program has to end) goes by one clock, so that a test can move
it instead of waiting.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol


class Alarm(Protocol):
    """A call that is due at a time."""

    def cancel(self) -> None:
        """Do not call. Repeating is safe, and so is cancelling what was called."""
        ...


class Clock(Protocol):
    """The time of day."""

    def __call__(self) -> float:
        """Return the time: seconds since 1970, UTC."""
        ...

    def call_at(self, when: float, act: Callable[[], None]) -> Alarm:
        """Have `act` called on the event loop when it is `when`, or soon if that is over."""
        ...


class SystemClock:
    """The computer's own clock."""

    def __call__(self) -> float:
        """Return the time: seconds since 1970, UTC."""
        return time.time()

    def call_at(self, when: float, act: Callable[[], None]) -> Alarm:
        """Have `act` called on the event loop when it is `when`, or soon if that is over."""
        return asyncio.get_running_loop().call_later(max(0.0, when - time.time()), act)


async def sleep(clock: Clock, seconds: float) -> None:
    """Return when `seconds` have passed on `clock`."""
    passed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def wake() -> None:
        if not passed.done():
            passed.set_result(None)

    alarm = clock.call_at(clock() + seconds, wake)
    try:
        await passed
    finally:
        alarm.cancel()


class MovableClock:
    """The computer's own clock, ahead by as much as it was moved: for tests.

    What is due when it is moved is called at once.
    """

    def __init__(self) -> None:
        #: How far it is ahead; seconds.
        self.ahead_s = 0.0
        self._due: dict[_Due, asyncio.TimerHandle] = {}

    def __call__(self) -> float:
        """Return the time: seconds since 1970, UTC."""
        return time.time() + self.ahead_s

    def call_at(self, when: float, act: Callable[[], None]) -> Alarm:
        """Have `act` called on the event loop when it is `when`, or soon if that is over."""
        due = _Due(self._due, when, act)
        self._arm(due)
        return due

    def move(self, seconds: float) -> None:
        """Put it ahead by as much more; it never goes back."""
        if not 0 <= seconds < float("inf"):
            raise ValueError(f"a clock cannot be moved by {seconds} seconds")
        self.ahead_s += seconds
        for due, timer in list(self._due.items()):
            timer.cancel()
            self._arm(due)

    def _arm(self, due: _Due) -> None:
        left = max(0.0, due.when - self())
        self._due[due] = asyncio.get_running_loop().call_later(left, due.ring)


class _Due:
    """A call that is due on a movable clock."""

    def __init__(
        self, due: dict[_Due, asyncio.TimerHandle], when: float, act: Callable[[], None]
    ) -> None:
        self.when = when
        self._due = due
        self._act = act

    def ring(self) -> None:
        """Call."""
        self._due.pop(self, None)
        self._act()

    def cancel(self) -> None:
        """Do not call. Repeating is safe, and so is cancelling what was called."""
        timer = self._due.pop(self, None)
        if timer:
            timer.cancel()
