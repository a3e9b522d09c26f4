"""Forgetting jobs that ended long ago, by hand or by whatever an application does each night."""

from __future__ import annotations

from ephemera.jobs.clock import SystemClock
from ephemera.jobs.runtime import runtime

#: How many are forgotten in one transaction: whoever enqueues waits for no more than that.
_AT_ONCE = 200


def forget(older_than: float) -> int:
    """Forget jobs that ended so long ago, with their results and logs; return how many.

    Jobs of which a machine is kept stay, and so do those that have not ended. Repeating is safe.

    Args:
        older_than: Seconds since they ended.

    Raises:
        EphemeraError: the job store cannot be used.
    """
    ended_before = SystemClock().now() - older_than
    store, forgotten = runtime.store(), 0
    while count := store.forget(ended_before, limit=_AT_ONCE):
        forgotten += count
    return forgotten
