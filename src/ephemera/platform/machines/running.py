"""The program of one machine: started, watched to its end, told to end.

```
   Life ── begin, watch, end ──►┌─────────┐── start, wait, signal ──►┌────────┐
                                │ Running │                          │ driver │
   Life ◄────── seen_* ─────────└─────────┘◄─────────────────────────└────────┘
```

All that takes time is here, and nothing that moves the machine: each `seen_` runs to its end in
one step of the event loop, and decides there what follows.
"""

from __future__ import annotations

from dataclasses import replace
from signal import SIGKILL
from typing import Protocol

from ephemera.errors import DriverError
from ephemera.platform.chores import Chores
from ephemera.platform.clock import Clock
from ephemera.platform.drivers.base import Exit
from ephemera.platform.machines.alarms import Alarms
from ephemera.platform.machines.driving import REFUSED, Driving
from ephemera.platform.machines.ledger import Ledger
from ephemera.platform.machines.putting_off import AGAIN_S, PuttingOff
from ephemera.platform.machines.voice import Voice
from ephemera.platform.states import State


class Seeing(Protocol):
    """Who is told what was seen of a program, and writes it down."""

    def seen_booted(self, handle: str, took_s: float) -> None:
        """It runs, though it may have been told to end meanwhile."""

    def seen_run(self, handle: str, took_s: float, end: Exit) -> bool:
        """It ran and has ended, if that can be written down at once; whether it was."""
        ...

    def seen_boot_failed(self, error: DriverError) -> None:
        """It could not be started, or was not to be any more."""

    def seen_exit(self, end: Exit) -> None:
        """It ended."""

    def seen_not_begun(self) -> None:
        """It was told to end before it was started."""

    def seen_unknown_gone(self) -> None:
        """Nothing of it is left, and nobody heard whether it ever ran."""


class Running:
    """Runs the program of one machine, as its record says."""

    def __init__(
        self,
        ledger: Ledger,
        driving: Driving,
        chores: Chores,
        voice: Voice,
        putting_off: PuttingOff,
        clock: Clock,
        told: Seeing,
    ) -> None:
        self._ledger = ledger
        self._driving = driving
        self._chores = chores
        self._voice = voice
        self._putting_off = putting_off
        self._clock = clock
        self._told = told
        self._alarms = Alarms(clock)
        self._asked_at = clock()
        #: Why the platform killed the program; empty where it did not.
        self._killed_for = ""

    def begin(self, *, asked: bool = False) -> None:
        """Start the newest boot of a machine that is `starting`.

        Args:
            asked: Whether a server that is gone may have begun it already.
        """
        self._asked_at = self._clock()
        self._killed_for = ""
        self._chores.begin(self._boot_and_watch(asked=asked))

    def begin_after(self, pause: float) -> None:
        """Start it after so many seconds, and later as long as the disk is nearly full."""
        self._alarms.pause(pause, self._begin_with_room)

    def watch(self) -> None:
        """Watch a boot that a server which is gone has started."""
        self._chores.begin(self._watch())

    def end(self) -> None:
        """Tell the program to end, as the record says, and kill it when its time is over.

        One that is not there yet is not started, or is told when it is.
        """
        if self._alarms.is_pausing:
            self._alarms.cancel()
            self._chores.begin(self._ledger.note(self._told.seen_not_begun))
            return
        record = self._ledger.record
        if not record.handle:
            self._driving.cancel_start()
            return  # it is booting; who is told of that comes back here
        signum = record.stop_signal or SIGKILL
        self._voice.signalled(signum)
        self._send(signum, everyone=signum == SIGKILL)
        self._alarms.expect_end(record.stop_by or 0.0, self._kill)

    def end_unknown(self) -> None:
        """End a boot of which the server that asked for it never heard back."""
        self._chores.begin(self._end_unknown())

    def cancel(self) -> None:
        """Wait for no pause and no end any more; the program is left alone."""
        self._alarms.cancel()

    def kill(self, why: str) -> None:
        """Kill the program, and have its exit say why."""
        self._killed_for = why
        self._voice.say(f"Machine killed: {why}", level="error")
        self._kill()

    def _begin_with_room(self) -> None:
        if why := self._putting_off.reason():
            self._chores.begin(self._ledger.note(lambda: self._putting_off.note(why)))
            self._alarms.pause(AGAIN_S, self._begin_with_room)
        else:
            self.begin()

    async def _boot_and_watch(self, *, asked: bool) -> None:
        record = self._ledger.record
        try:
            handle = await self._driving.start(record, self._is_starting, asked=asked)
        except REFUSED as caught:
            error = caught
            await self._ledger.note(lambda: self._told.seen_boot_failed(error))
            return
        if await self._ledger.note(lambda: self._booted(handle)):
            await self._watch()

    def _is_starting(self) -> bool:
        return self._ledger.record.state is State.STARTING

    def _booted(self, handle: str) -> bool:
        """Tell that the program runs; whether its end is still to be seen."""
        took_s = self._clock() - self._asked_at
        end = None if self._killed_for else self._driving.ended(handle)
        if end and self._is_starting() and self._told.seen_run(handle, took_s, end):
            return False
        self._told.seen_booted(handle, took_s)
        return True

    async def _watch(self) -> None:
        end = await self._driving.wait(self._ledger.record.handle)
        await self._ledger.note(lambda: self._ended(end))

    def _ended(self, end: Exit) -> None:
        self._alarms.cancel()
        if self._killed_for and end.signal == SIGKILL:
            end = replace(end, error=self._killed_for)
        self._told.seen_exit(end)

    async def _end_unknown(self) -> None:
        await self._driving.destroy()
        await self._ledger.note(self._told.seen_unknown_gone)

    def _kill(self) -> None:
        self._send(SIGKILL, everyone=True)

    def _send(self, signum: int, *, everyone: bool) -> None:
        handle = self._ledger.record.handle
        self._chores.begin(self._driving.signal(handle, signum, everyone=everyone))
