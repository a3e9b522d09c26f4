"""The lines of the proxy in the logs of apps; of what is wrong, not the same again and again.

What is wrong with a machine is found by whoever looks for it, by each request that waits for it,
and by each connection to another port of it: the log is to say it once.
"""

from __future__ import annotations

import time
from collections.abc import Callable

_WRONG = frozenset(("error", "warning"))
#: The same of these is written into a log once in this time.
_REPEAT_S = 1.0
_REMEMBERED_MAX = 1000

#: Writes a line: app, machine, region, level, message.
Say = Callable[[str, str, str, str, str], None]


class Complaints:
    """Writes lines, and remembers for a moment what was wrong.

    Args:
        say: Writes a line.
        now: Returns seconds that go on, whatever is done to the computer's clock.
    """

    def __init__(self, say: Say, now: Callable[[], float] = time.monotonic) -> None:
        self._say = say
        self._now = now
        self._said: dict[tuple[str, str, str], float] = {}

    def say(self, app_id: str, machine_id: str, region: str, level: str, message: str) -> None:
        """Write a line, unless it says what is wrong and was written a moment ago."""
        if level not in _WRONG or self._is_news((app_id, machine_id, message)):
            self._say(app_id, machine_id, region, level, message)

    def _is_news(self, said: tuple[str, str, str]) -> bool:
        now = self._now()
        if now - self._said.get(said, -_REPEAT_S) < _REPEAT_S:
            return False
        if len(self._said) >= _REMEMBERED_MAX:
            self._said.clear()
        self._said[said] = now
        return True
