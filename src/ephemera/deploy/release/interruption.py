"""Ctrl-C and SIGTERM while a release is made: heard where it does no harm.

A request that changes something is never cut off, for then nobody would know whether it was
applied. Waiting and looking is.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


class Interrupted(BaseException):
    """Somebody wants it to end: what was done is to be undone, and no error be told."""


class Interruption:
    """The signals that came while a release was made. Made by `heard`."""

    def __init__(self) -> None:
        self._came: list[int] = []
        self._answered = 0
        self._may_raise = False

    @property
    def first(self) -> int | None:
        """The signal that came first, or None."""
        return self._came[0] if self._came else None

    @contextmanager
    def allowed(self) -> Iterator[None]:
        """Let a signal cut the block off, also one that has come already.

        Raises:
            Interrupted: one has come. Each is answered once.
        """
        self._may_raise = True
        try:
            self._answer()
            yield
        finally:
            self._may_raise = False

    def take(self, signum: int, _: FrameType | None) -> None:
        """Take a signal, as a handler does."""
        self._came.append(signum)
        if self._may_raise:
            self._answer()

    def _answer(self) -> None:
        if len(self._came) > self._answered:
            self._answered = len(self._came)
            raise Interrupted


@contextmanager
def heard() -> Iterator[Interruption]:
    """Hear signals instead of ending by them; the first one is passed on at the end of the block.

    Not in the main thread, or where a signal is ignored, everything stays as it is.

    Raises:
        Interrupted: the block was cut off, and whoever the signal was passed on to did not mind.
    """
    interruption = Interruption()
    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        before = {
            one: signal.signal(one, interruption.take)
            for one in _SIGNALS
            if signal.getsignal(one) is not signal.SIG_IGN
        }
    try:
        yield interruption
    except Interrupted:
        _pass_on(interruption, before)
        raise
    except BaseException:
        _restore(before)
        raise
    _pass_on(interruption, before)


def _pass_on(interruption: Interruption, handlers: Mapping[int, Any]) -> None:
    _restore(handlers)
    if interruption.first is not None:
        signal.raise_signal(interruption.first)


def _restore(handlers: Mapping[int, Any]) -> None:
    for signum, handler in handlers.items():
        signal.signal(signum, handler)
