"""Tells those who wait in this process that a job has ended, without waiting for their next look.

Whoever waits also looks into the store now and then: the job may be supervised elsewhere.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Endings:
    """Who waits for which job. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, list[Callable[[], object]]] = {}

    @contextmanager
    def watching(self, job_id: str, tell: Callable[[], object]) -> Iterator[None]:
        """While inside, and never after, call `tell` from some thread when the job ends.

        Args:
            tell: Returns at once, and does not come back here.
        """
        with self._lock:
            self._waiting.setdefault(job_id, []).append(tell)
        try:
            yield
        finally:
            with self._lock:
                self._waiting[job_id].remove(tell)
                if not self._waiting[job_id]:
                    del self._waiting[job_id]

    def ended(self, job_id: str) -> None:
        """Tell everybody who waits for this job."""
        with self._lock:  # whoever leaves meanwhile may close the event loop that he is told on
            for tell in self._waiting.get(job_id, ()):
                tell()
