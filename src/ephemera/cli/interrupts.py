"""Ctrl-C and SIGTERM, for commands that have begun something."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Held:
    """The signals that are being held back."""

    def __init__(self) -> None:
        self._came: list[int] = []
        self._tell: Callable[[], object] = lambda: None

    @property
    def first(self) -> int | None:
        """The signal that came first, or None."""
        return self._came[0] if self._came else None

    def tell(self, tell: Callable[[], object]) -> None:
        """Call `tell` when a signal comes, and at once if one has come."""
        self._tell = tell
        if self._came:
            tell()

    def __call__(self, signum: int, _: FrameType | None) -> None:
        """Take a signal, as a handler does."""
        self._came.append(signum)
        self._tell()


@contextmanager
def uninterrupted() -> Iterator[Held]:
    """Hold back Ctrl-C and SIGTERM until the block is over, for what must not be left half done.

    By handlers, not by blocking the signals: programs that are started would inherit a block.
    To be used in the main thread.
    """
    held = Held()
    before = {signum: signal.signal(signum, held) for signum in _SIGNALS}
    try:
        yield held
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
    if held.first:
        signal.raise_signal(held.first)
