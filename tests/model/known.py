"""What the callers know of a machine, and what must hold of whatever is read of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ephemera.platform.states import State
from tests.model.history import states_after


@dataclass
class Known:
    """One machine, as the answers so far have it."""

    id: str
    name: str
    version: str
    cordoned: bool = False
    #: The nonce of its lease; None where nobody holds it.
    nonce: str | None = None
    state: str = "created"
    #: All its events, newest first.
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def is_gone(self) -> bool:
        """Whether it is destroyed, or about to be."""
        return self.state in ("destroying", "destroyed")

    def asked_for(self) -> list[str]:
        """Return the ids of the events that tell of what callers asked for."""
        return [event["id"] for event in self.events if event["source"] == "user"]

    def read(self, machine: dict[str, Any], events: Sequence[dict[str, Any]]) -> None:
        """Hold what was read to what was known, and know it.

        Args:
            machine: As it was answered.
            events: As they were answered just before; newest first.
        """
        self._merge(events)
        self._merge(machine["events"])
        self.state, self.version = machine["state"], machine["instance_id"]
        self.cordoned = machine["cordoned"]
        told = [f"{event['type']}/{event['status']}" for event in reversed(self.events)]
        possible = states_after(told)
        assert State(self.state) in possible, f"'{self.state}' after {told}"

    def _merge(self, answered: Sequence[dict[str, Any]]) -> None:
        ids = [event["id"] for event in answered]
        assert ids == sorted(set(ids), reverse=True), f"not newest first, each once: {ids}"
        if self.events:
            assert self.events[0]["id"] in ids, "the newest event that was known is gone"
            new = ids.index(self.events[0]["id"])
            old = answered[new:]
            assert list(old) == self.events[: len(old)], "an event is gone, or another than it was"
            answered = answered[:new]
        self.events = [*answered, *self.events]
