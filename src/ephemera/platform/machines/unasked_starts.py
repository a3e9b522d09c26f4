"""Starting a machine that rests without anybody asking: by its schedule, or by its standing by.

Where the disk is nearly full it is put off, and tried again until it is started or something else
has happened to it.
"""

from __future__ import annotations

from typing import Any

from ephemera.platform.clock import Alarm
from ephemera.platform.machines import happenings
from ephemera.platform.machines.ledger import Ledger
from ephemera.platform.machines.life import Life
from ephemera.platform.machines.putting_off import AGAIN_S
from ephemera.platform.machines.surroundings import Surroundings
from ephemera.platform.states import Event, State


class UnaskedStarts:
    """Those of one machine."""

    def __init__(self, ledger: Ledger, life: Life, around: Surroundings) -> None:
        self._ledger = ledger
        self._life = life
        self._around = around
        self._alarm: Alarm | None = None

    def soon(self, **changes: Any) -> None:
        """Start the machine if it rests, as soon as it can be written down.

        Args:
            changes: What of the record is written with that, or else by itself. A start that is
                put off leaves it unwritten, so that the next server finds what is due.
        """
        self._life.chores.begin(self._ledger.note(lambda: self._run(changes)))

    def cancel(self) -> None:
        """Try nothing again. Repeating is safe."""
        if self._alarm:
            self._alarm.cancel()

    def _run(self, changes: dict[str, Any]) -> None:
        rests = self._ledger.record.state in (State.STOPPED, State.FAILED)
        why = self._life.putting_off.reason() if rests else ""
        if why:
            self._life.putting_off.note(why)
            self._try_again(changes)
        elif rests:
            asked = happenings.start_asked(self._ledger.record.id, self._around.clock(), "flyd")
            self._life.start(Event.START, [asked], **changes)
            self._life.voice.say("Starting machine")
        elif changes:
            self._ledger.write(**changes)

    def _try_again(self, changes: dict[str, Any]) -> None:
        def act() -> None:
            self._life.chores.begin(self._ledger.note(lambda: self._run_again(changes)))

        self.cancel()
        self._alarm = self._around.clock.call_at(self._around.clock() + AGAIN_S, act)

    def _run_again(self, changes: dict[str, Any]) -> None:
        if happenings.is_put_off(self._ledger.events()):
            self._run(changes)
        elif changes:  # somebody has started it since, which was the run that was due
            self._ledger.write(**changes)
