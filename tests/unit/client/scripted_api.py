"""A server, a clock and a sleeper for the exchange, all of them scripted."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ephemera.client.attempt import Pace
from ephemera.client.messages import Answer, Found, Lost, Pause, Send

T = TypeVar("T")
Reply = Answer | Lost | Callable[[Send], Answer | Lost]


def answer(status: int = 200, body: object = None, **headers: str) -> Answer:
    """Return an answer with a JSON body; `retry_after="1"` is the header `retry-after`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, named, b"" if body is None else json.dumps(body).encode())


LOST = Lost(sent=True, reason="the line went dead")
REFUSED = Lost(sent=False, reason="connection refused")


@dataclass
class Script:
    """Answers requests from a list and lets time pass only where the script says so."""

    now_s: float = 1000.0
    #: How long each answer takes; 0 for those that are not in it.
    takes_s: list[float] = field(default_factory=list)
    sent: list[Send] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    found: list[Any] = field(default_factory=list)
    chance: float = 1.0

    @property
    def pace(self) -> Pace:
        return Pace(clock=lambda: self.now_s, chance=lambda: self.chance)

    def run(self, steps: Generator[Any, Any, T], *replies: Reply) -> T:
        """Drive the steps to their end and return their value.

        Every reply must be used, and there must be one for each request.
        """
        left = list(replies)
        reply: Answer | Lost | None = None
        while True:
            try:
                step = steps.send(reply)
            except StopIteration as end:
                assert not left, f"never asked for: {left}"
                return end.value  # type: ignore[no-any-return]
            reply = self._do(step, left)

    def _do(self, step: Send | Pause | Found[Any], left: list[Reply]) -> Answer | Lost | None:
        if isinstance(step, Found):
            self.found.append(step.item)
            return None
        if isinstance(step, Pause):
            self.pauses.append(step.seconds)
            self.now_s += step.seconds
            return None
        self.sent.append(step)
        self.now_s += self.takes_s.pop(0) if self.takes_s else 0.0
        assert left, f"one request too many: {step}"
        reply = left.pop(0)
        return reply(step) if callable(reply) else reply
