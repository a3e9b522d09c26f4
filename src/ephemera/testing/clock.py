"""Clocks that move when they are told to: one for pure code, and the one of a platform."""

from __future__ import annotations

import asyncio

import httpx2

#: A platform on a computer that is busy may take long to answer.
_ANSWER_WAIT_S = 60.0


class FakeClock:
    """Time for tests: sleeping moves it on at once.

    Args:
        now: Where it stands at first; seconds since 1970.
    """

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self._now = now
        #: How long each `sleep` asked for, in order.
        self.slept: list[float] = []

    def now(self) -> float:
        """Return the time; seconds since 1970."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move it on."""
        self._now += seconds

    async def sleep(self, seconds: float) -> None:
        """Move it on by `seconds` and let other tasks run once."""
        self.slept.append(seconds)
        self.advance(seconds)
        await asyncio.sleep(0)


class PlatformClock:
    """The clock of an embedded platform: it goes as time does, and can be put ahead.

    Leases, tokens, schedules, the pauses between restarts and the time that a program has to
    end go by it; the 60 seconds of a `wait` do not. What has become due is done at once. It is
    right again when the server starts anew.

    Args:
        url: The base URL of a platform started by `ephemera.testing.serving`, or with `--testing`.
        token: Its own token.
    """

    def __init__(self, url: str, token: str) -> None:
        self._http = httpx2.Client(
            base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=_ANSWER_WAIT_S
        )

    def now(self) -> float:
        """Return the time on it; seconds since 1970."""
        return float(self._http.get("/ephemera/testing/clock").raise_for_status().json()["now"])

    def move(self, seconds: float) -> None:
        """Put it ahead by as much more; it never goes back."""
        answer = self._http.post("/ephemera/testing/clock", json={"seconds": seconds})
        answer.raise_for_status()

    def close(self) -> None:
        """Close the connection; the clock stays ahead."""
        self._http.close()
