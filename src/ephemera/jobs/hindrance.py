"""What keeps a supervisor from its work: settings that lead to no API.

A job is durable, and another process with the same store may be set up better, so jobs wait while
this lasts; but no job waits for ever. One that was not started within its `start_timeout`, counted
from when the hindrance was met, ends as `boot_failed`, with the hindrance for its message. Whoever
waits for a job in this process is told at once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from ephemera.errors import ConfigError, Stale
from ephemera.jobs.outcome import Cause, Outcome
from ephemera.jobs.records import JobRecord, new_attempt
from ephemera.jobs.store import Store

_log = logging.getLogger("ephemera.jobs")

#: Jobs ended in one look; the rest is ended in the next, a moment later.
_ENDED_MAX = 100


class Hindrance:
    """What a supervisor was kept from its work by when it last tried, and since when."""

    def __init__(self) -> None:
        #: None while nothing is in its way.
        self.error: ConfigError | None = None
        self._since = 0.0

    def met(self, error: ConfigError, now: float) -> None:
        """Take note of it, and log it where it is news."""
        if self.error is None:
            self._since = now
        if str(self.error) != str(error):
            _log.error("Jobs cannot be given machines: %s", error)
        self.error = error

    def over(self) -> None:
        """Take note that there is none any more."""
        self.error = None

    def end_overdue(self, store: Store, now: float, ended: Callable[[str], None]) -> None:
        """End the queued jobs that have waited through their whole `start_timeout`."""
        for job in store.queued(limit=_ENDED_MAX):
            if now < max(job.created_at, self._since) + job.work.start_timeout_s:
                continue
            try:
                self._end(store, job, now)
            except Stale:
                _log.debug("Job %s was claimed or cancelled by somebody else", job.id)
            else:
                ended(job.id)

    def _end(self, store: Store, job: JobRecord, now: float) -> None:
        attempt = new_attempt(job, now=now)
        outcome = Outcome(Cause.BOOT_FAILED, f"no machine could be made: {self.error}")
        store.claim(job, attempt)
        store.finish(attempt, outcome, at=now)
