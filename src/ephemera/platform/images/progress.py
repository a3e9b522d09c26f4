"""How far a pull is, in lines that are said now and then."""

from __future__ import annotations

import time

from ephemera.platform.images.image import Say

#: A short pull says nothing between its beginning and its end.
_EVERY_S = 2.0


class Progress:
    """Counts what has come of an image, and says so.

    Args:
        total_bytes: Of the layers that have to come, as they are sent.
    """

    def __init__(self, reference: str, layers: int, total_bytes: int, say: Say) -> None:
        self._reference = reference
        self._layers = layers
        self._total_bytes = total_bytes
        self._say = say
        self._layers_done = 0
        self._bytes = 0
        self._said_at = time.monotonic()

    def came(self, count: int) -> None:
        """Count bytes that have come."""
        self._bytes += count
        now = time.monotonic()
        if now - self._said_at >= _EVERY_S:
            self._said_at = now
            self._say("info", self._line())

    def layer_done(self) -> None:
        """Count a layer that is here."""
        self._layers_done += 1

    def _line(self) -> str:
        return (
            f"Pulling container image {self._reference}:"
            f" {megabytes(self._bytes)} of {megabytes(self._total_bytes)},"
            f" {self._layers_done} of {self._layers} layers done"
        )


def megabytes(count: int) -> str:
    """Return a number of bytes for people, in millions."""
    return f"{count / 1e6:.1f} MB"


def duration(seconds: float) -> str:
    """Return a duration for people: `462ms`, `12.3s`."""
    return f"{seconds * 1000:.0f}ms" if seconds < 1 else f"{seconds:.1f}s"
