"""Whether a supervisor is the active one: the lease in the store, held for a while at a time."""

from __future__ import annotations

from ephemera.jobs.clock import Clock
from ephemera.jobs.holders import is_dead, new_holder
from ephemera.jobs.store import Store

#: A supervisor that was killed is followed by another one after this at the latest.
LEASE_TTL_S = 5.0
LEASE_RENEW_S = 1.5


class Tenure:
    """The lease of one supervisor."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.holder = new_holder()
        self._store = store
        self._clock = clock
        self._url = ""
        self._renew_at = 0.0

    @property
    def is_sure(self) -> bool:
        """Whether we have it, and need not ask the store. Safe from any thread."""
        return self._clock.now() < self._renew_at

    def hold(self, url: str) -> bool:
        """Hold the lease, renewed where it is time, and return whether we have it.

        Args:
            url: Our listener, for others to know; empty to leave the last one's as it is.
        """
        now = self._clock.now()
        if now < self._renew_at and url == self._url:
            return True
        self._release_dead()
        shown = url or self.last_url()
        held = self._store.hold_lease(self.holder, shown, now=now, ttl=LEASE_TTL_S)
        self._renew_at = now + LEASE_RENEW_S if held else 0.0
        self._url = url
        return held

    def release(self) -> None:
        """Let another supervisor have it. Repeating is safe."""
        self._store.release_lease(self.holder)
        self._renew_at = 0.0

    def last_url(self) -> str:
        """Return the listener of whoever has it, or had it last; empty where nobody had."""
        lease = self._store.lease()
        return lease.url if lease else ""

    def _release_dead(self) -> None:
        """Do not wait for the end of a lease whose holder was killed on this computer."""
        lease = self._store.lease()
        if lease is not None and lease.expires_at > self._clock.now() and is_dead(lease.holder):
            self._store.release_lease(lease.holder)
