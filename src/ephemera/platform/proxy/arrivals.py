"""Which machines are up, and bringing up those that are not, once for all who wait for one."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ephemera.platform.proxy import refusing
from ephemera.platform.proxy.arrival import CANCELLED, Around, Arrival, refused
from ephemera.platform.proxy.offers import Offer
from ephemera.platform.proxy.routing import ProxyRefusal
from ephemera.platform.records import MachineRecord

Addresses = Sequence[tuple[str, int]]


class Arrivals:
    """Which machines are up, and those that are being brought up."""

    def __init__(self, around: Around) -> None:
        self._around = around
        self._tasks: dict[tuple[str, int], asyncio.Task[None]] = {}
        #: Those of them that are to be started if need be, and how many wait for each. Those that
        #: nobody wants are only looked at.
        self._wanted: set[tuple[str, int]] = set()
        self._waiting: Counter[tuple[str, int]] = Counter()
        #: The boot of a machine that was seen to listen at a port, and its addresses.
        self._seen: dict[tuple[str, int], tuple[int, Addresses]] = {}

    def addresses(self, record: MachineRecord, port: int) -> Addresses:
        """Return where a machine is reached, first where it listens; nothing if not known."""
        boot, found = self._seen.get((record.id, port), (0, ()))
        return found if boot == record.boot else ()

    def doubt(self, machine_id: str, port: int) -> None:
        """Forget that a machine listens: it was found not to. Repeating is safe."""
        if self._seen.pop((machine_id, port), None):
            self._around.changed()

    def forget(self, machine_id: str) -> None:
        """Forget a machine that is gone. Repeating is safe."""
        for key in [key for key in self._seen if key[0] == machine_id]:
            del self._seen[key]

    def bring(self, record: MachineRecord, offer: Offer) -> None:
        """Bring a machine up though nobody waits for it: there is too much for the others."""
        self._wanted.add((record.id, offer.internal_port))
        self._begun(record, offer)

    @contextmanager
    def waiting(self, record: MachineRecord, offer: Offer) -> Iterator[asyncio.Task[None]]:
        """Wait for a machine within the block; it gets the task that brings it up.

        The task raises a `ProxyRefusal` where that cannot be done. Whoever leaves leaves it alone:
        others may wait. Where nobody does, a machine that somebody stops stays so.
        """
        key = (record.id, offer.internal_port)
        self._waiting[key] += 1
        try:
            yield self._begun(record, offer)
        finally:
            self._waiting[key] -= 1
            if not self._waiting[key]:
                del self._waiting[key]

    def look_for(self, record: MachineRecord, offer: Offer) -> None:
        """Find out when a machine takes requests that was just started, though nobody asked yet.

        Where it never does, its app's log says why.
        """
        task = self._begun(record, offer)
        task.add_done_callback(lambda done: self._complain(record, done))

    def is_bringing(self, machine_id: str) -> bool:
        """Whether a machine is being brought up: somebody may wait for it."""
        return any(key[0] == machine_id for key in self._tasks)

    @property
    def are_under_way(self) -> bool:
        """Whether any machine is being brought up."""
        return bool(self._tasks)

    async def close(self) -> None:
        """Wait for no machine any more."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _done(self, key: tuple[str, int], task: asyncio.Task[None]) -> None:
        self._tasks.pop(key, None)
        self._wanted.discard(key)
        if not task.cancelled():
            task.exception()  # heard, also where nobody waits any more
            self._around.ended(key[0])

    def _is_wanted(self, key: tuple[str, int]) -> bool:
        return key in self._wanted or key in self._waiting

    def _begun(self, record: MachineRecord, offer: Offer) -> asyncio.Task[None]:
        key = (record.id, offer.internal_port)
        task = self._tasks.get(key)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._bring(record, offer))
            self._tasks[key] = task
            task.add_done_callback(lambda done: self._done(key, done))
        return task

    def _complain(self, record: MachineRecord, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if isinstance(error, ProxyRefusal) and error.code != CANCELLED:
            said = refusing.logged(error)
            self._around.say(record.app_id, record.id, record.region, "error", said)

    async def _bring(self, record: MachineRecord, offer: Offer) -> None:
        owner = self._around.owner(record.id)
        if owner is None:
            raise refused(record, 503, "the machine is gone", code="PR02")
        key = (record.id, offer.internal_port)
        arrival = Arrival(owner, offer, self._around, lambda: self._is_wanted(key))
        first = await arrival.up()
        hosts = (first, *(one for one in self._around.addresses(record) if one != first))
        port = offer.internal_port
        self._seen[record.id, port] = (owner.record.boot, [(host, port) for host in hosts])
        self._around.changed()
