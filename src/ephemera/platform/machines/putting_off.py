"""Starts that nobody has asked for, and that wait as long as the disk is nearly full.

Whoever asks for a start is refused then. What a restart policy, a schedule or a standing by wants
started is put off: an event says so, once, and it is tried again from time to time.
"""

from __future__ import annotations

from ephemera.platform.machines import happenings
from ephemera.platform.machines.ledger import Ledger
from ephemera.platform.machines.surroundings import Surroundings
from ephemera.platform.machines.voice import Voice
from ephemera.platform.records import EventRecord
from ephemera.platform.refusals import Refusal

#: How soon it is tried again.
AGAIN_S = 30.0


class PuttingOff:
    """Those of one machine."""

    def __init__(self, ledger: Ledger, voice: Voice, around: Surroundings) -> None:
        self._ledger = ledger
        self._voice = voice
        self._around = around

    def reason(self) -> str:
        """Return why a start has to wait now; empty where it has not."""
        try:
            self._around.need_room()
        except Refusal as no:
            return no.error
        return ""

    def told(self, why: str) -> list[EventRecord]:
        """Say that a start has to wait, and return what is to be written; once in a row."""
        if happenings.is_put_off(self._ledger.events()):
            return []
        self._voice.say(f"Machine is started later: {why}", level="warning")
        return [happenings.put_off(self._ledger.record.id, self._around.clock(), why)]

    def note(self, why: str) -> None:
        """Say and write down that a start has to wait, once in a row."""
        if happened := self.told(why):
            self._ledger.write(happened)
