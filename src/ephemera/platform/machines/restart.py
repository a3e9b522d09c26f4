"""Whether a machine whose program ended by itself is started again, and when. Pure.

Source: the API's documentation of restart policies; the limit of 10 in 5 minutes is its default
for `on-failure`, which is also the policy of a machine that names none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ephemera.wire.models import Restart

DEFAULT_MAX_RETRIES = 10
#: Restarts longer ago than this are forgotten.
WINDOW_S = 300.0
#: The pause before the second restart in a window; it doubles with each one, up to the maximum.
FIRST_PAUSE_S = 0.5
PAUSE_MAX_S = 30.0


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done after an exit."""

    again: bool
    #: Seconds before the next start.
    pause: float = 0.0
    #: It would have been started again, but for the number of times it already was.
    exhausted: bool = False


def recent(restarts: Sequence[float], now: float) -> list[float]:
    """Return the restarts that still count."""
    return [at for at in restarts if at > now - WINDOW_S]


def decide(
    restart: Restart | None, exit_code: int, restarts: Sequence[float], now: float
) -> Decision:
    """Decide after the program ended with `exit_code`, nobody having asked it to.

    Args:
        restart: The machine's policy, None for the API's default.
        restarts: When the policy started it before, seconds since 1970.
        now: Seconds since 1970.
    """
    policy = (restart and restart.policy) or "on-failure"
    if policy == "no" or (policy == "on-failure" and exit_code == 0):
        return Decision(again=False)
    count = len(recent(restarts, now))
    limit = restart.max_retries if restart and restart.max_retries else DEFAULT_MAX_RETRIES
    if policy == "on-failure" and count >= limit:
        return Decision(again=False, exhausted=True)
    longest = _longest_pause(limit) if policy == "on-failure" else PAUSE_MAX_S
    pause = 0.0 if count == 0 else min(longest, FIRST_PAUSE_S * 2.0 ** min(count - 1, 10))
    return Decision(again=True, pause=pause)


def _longest_pause(limit: int) -> float:
    """Return the longest pause with which so many restarts fit into half of a window.

    A limit that is too high for that, above 300, is no limit.
    """
    longest = WINDOW_S / 2 / max(limit, DEFAULT_MAX_RETRIES)
    return longest if longest >= FIRST_PAUSE_S else PAUSE_MAX_S
