"""What one machine waits for by the clock: the pause before a start, and the end of a grace."""

from __future__ import annotations

from collections.abc import Callable

from ephemera.platform.clock import Alarm, Clock


class Alarms:
    """The alarms of one machine; at most one of each kind."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pause: Alarm | None = None
        self._deadline: Alarm | None = None

    @property
    def is_pausing(self) -> bool:
        """Whether a start waits for its pause to be over."""
        return self._pause is not None

    def pause(self, seconds: float, start: Callable[[], None]) -> None:
        """Have the machine started when so many seconds are over."""

        def over() -> None:
            self._pause = None
            start()

        self._pause = self._clock.call_at(self._clock() + seconds, over)

    def expect_end(self, by: float, kill: Callable[[], None]) -> None:
        """Have a program killed that was told to end, in the place of what was due before.

        Args:
            by: Seconds since 1970.
        """
        self._expect_nothing()
        self._deadline = self._clock.call_at(by, kill)

    def cancel(self) -> None:
        """Wait for nothing any more. Repeating is safe."""
        self._expect_nothing()
        if self._pause:
            self._pause.cancel()
            self._pause = None

    def _expect_nothing(self) -> None:
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None
