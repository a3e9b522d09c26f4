"""Holding a lease for the length of a `with`: taken, refreshed all the while, given back.

A short lease that is refreshed is better than a long one: when its holder dies, others wait for
seconds only. A refresh that fails is tried again until the API says that the lease is gone. That
is not told here, but by the calls that show its nonce: they are refused where somebody else holds
the lease by then.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from ephemera.client.call import Call
from ephemera.errors import Conflict, EphemeraError, NotFound
from ephemera.wire.models import Lease

#: A lease survives two refreshes that fail.
REFRESHES_PER_TTL = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """A lease to hold, as the calls that it takes."""

    acquire: Call[Lease]
    #: By the nonce.
    refresh: Callable[[str], Call[Lease]]
    release: Callable[[str], Call[None]]
    refresh_every_s: float


@contextmanager
def held(holding: Holding, run: Callable[[Call[Any]], Any]) -> Iterator[Lease]:
    """Hold a lease, with a thread that refreshes it."""
    lease: Lease = run(holding.acquire)
    over = threading.Event()

    def keep() -> None:
        while not over.wait(holding.refresh_every_s):
            try:
                fresh: Lease = run(holding.refresh(lease.nonce))
                if fresh.nonce != lease.nonce:
                    run(holding.release(fresh.nonce))  # ours had expired: this is a new one
                    return
            except EphemeraError as error:
                if _gone(error):
                    return

    keeper = threading.Thread(target=keep, name="ephemera-lease", daemon=True)
    keeper.start()
    try:
        yield lease
    finally:
        over.set()
        keeper.join()
        with suppress(EphemeraError):  # it expires by itself soon
            run(holding.release(lease.nonce))


@asynccontextmanager
async def held_async(
    holding: Holding, run: Callable[[Call[Any]], Awaitable[Any]]
) -> AsyncIterator[Lease]:
    """Hold a lease, with a task that refreshes it."""
    lease: Lease = await run(holding.acquire)

    async def keep() -> None:
        while True:
            await asyncio.sleep(holding.refresh_every_s)
            try:
                fresh: Lease = await run(holding.refresh(lease.nonce))
                if fresh.nonce != lease.nonce:
                    await run(holding.release(fresh.nonce))  # ours had expired: this is a new one
                    return
            except EphemeraError as error:
                if _gone(error):
                    return

    keeper = asyncio.create_task(keep(), name="ephemera-lease")
    try:
        yield lease
    finally:
        keeper.cancel()
        try:
            await asyncio.wait([keeper])
        finally:  # also where we are cancelled once more
            with suppress(EphemeraError):  # it expires by itself soon
                await run(holding.release(lease.nonce))


def _gone(error: EphemeraError) -> bool:
    return isinstance(error, Conflict | NotFound)
