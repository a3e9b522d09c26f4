"""A supervisor that kills itself at its n-th write: `python -m tests.faults.mortal_supervisor`.

Its arguments are a job's id, the number of the write, and `before` or `after`. The store is the
configured one. It ends by itself, with 0, once nothing is left to do for the job.
"""

from __future__ import annotations

import asyncio
import sys

from ephemera.jobs import run_supervisor
from ephemera.jobs.runtime import runtime
from ephemera.jobs.states import Stage
from ephemera.jobs.stores.sql import SqlStore
from tests.faults.mortality import die_at_write

_LOOK_S = 0.02


async def supervise(job_id: str) -> None:
    """Supervise until the machine of the job's last attempt is gone."""
    stop = asyncio.Event()
    running = asyncio.create_task(run_supervisor(stop))
    while not running.done() and not is_settled(job_id):  # noqa: ASYNC110 - rows tell nobody
        await asyncio.sleep(_LOOK_S)
    stop.set()
    await running


def is_settled(job_id: str) -> bool:
    """Return whether there is nothing left to do for the job."""
    attempts = runtime.store().attempts(job_id)
    return bool(attempts) and attempts[-1].stage is Stage.GONE


if __name__ == "__main__":
    job_id, number, when = sys.argv[1:]
    store = runtime.store()
    assert isinstance(store, SqlStore)
    die_at_write(store._engine, int(number), when)
    asyncio.run(supervise(job_id))
