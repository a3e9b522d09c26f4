"""The API's rate limits, kept on our side: waiting a moment beats being turned away.

For each action on each machine, or on each app for what is done to an app, there is a bucket: so
many requests at once, so many a second from then on. What comes too early is given the next free
moment, in the order in which it was asked for.

Source: "Rate Limits" of https://fly.io/docs/machines/api/working-with-machines-api/
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from ephemera.client.messages import Send


@dataclass(frozen=True, slots=True)
class Rate:
    """How often something may be done."""

    per_second: float
    burst: int


#: What holds for every action that is not listed below.
USUAL = Rate(per_second=1, burst=3)
EXCEPTIONS = {
    "GET apps//machines/": Rate(per_second=5, burst=10),
    "DELETE apps/": Rate(per_second=100 / 60, burst=100),
}
#: Of all apps together, not of each.
_TOGETHER = frozenset({"DELETE apps/"})

#: Buckets are looked through for full ones, which need not be kept, when there are so many.
_SWEEP_FROM = 1024


class Limiter:
    """Says how long each request has to wait. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        #: When each bucket will be full again. One that is full is the same as none.
        self._full_at: dict[tuple[str, str], float] = {}
        self._sweep_at = _SWEEP_FROM

    def pause(self, send: Send, now: float) -> float:
        """Return how many seconds a request has to wait, and count it as sent then."""
        if send.base != "api":
            return 0.0
        key = action, _ = action_of(send)
        rate = EXCEPTIONS.get(action, USUAL)
        interval_s = 1 / rate.per_second
        with self._lock:
            self._sweep(now)
            full_at = max(now, self._full_at.get(key, now))
            self._full_at[key] = full_at + interval_s
        return max(0.0, full_at - interval_s * (rate.burst - 1) - now)

    def _sweep(self, now: float) -> None:
        if len(self._full_at) < self._sweep_at:
            return
        self._full_at = {key: at for key, at in self._full_at.items() if at > now}
        self._sweep_at = max(_SWEEP_FROM, 2 * len(self._full_at))


def action_of(send: Send) -> tuple[str, str]:
    """Return what a request does, and to which machine, app or organisation.

    In a path, kinds of things and their names take turns: `apps/<name>/machines/<id>/start`.
    """
    parts = send.path.split("/")[2:]
    if parts[0] not in ("apps", "orgs"):
        return f"{send.method} {'/'.join(parts)}", ""
    shape = "/".join(part if at % 2 == 0 else "" for at, part in enumerate(parts))
    action = f"{send.method} {shape}"
    named = 4 if parts[2:3] == ["machines"] else 2
    return action, "" if action in _TOGETHER else "/".join(parts[:named])
