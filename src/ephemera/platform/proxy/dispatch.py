"""Which machine a request goes to, from its name to its seat: the routing half of the proxy.

```
host, port ─► app ─► its posts there ─► ready, and room for one more ──► a seat
                          │ else, or where something is wished
                          └───────────► choose ──take──► a seat
                          ▲                ├─bring──► a machine is started ─┐
                          └────────────────┴─wait───► until something changes ┘
```
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from dataclasses import replace

from ephemera.platform.checks.watching import Checks, Standing
from ephemera.platform.dialing import SocketTo
from ephemera.platform.proxy import nowhere
from ephemera.platform.proxy.arrivals import Arrivals
from ephemera.platform.proxy.choice import Candidate, Phase, choose
from ephemera.platform.proxy.fleet import Fleet, Post
from ephemera.platform.proxy.hosts import Hosts
from ephemera.platform.proxy.load import Loads
from ephemera.platform.proxy.queues import Queues
from ephemera.platform.proxy.ready import Ready
from ephemera.platform.proxy.routing import Asked, Entrance, ProxyRefusal
from ephemera.platform.proxy.seats import Place, Way
from ephemera.platform.proxy.targets import HELD_MAX_S, WHICHEVER, Target, Targets
from ephemera.platform.records import AppRecord, MachineRecord
from ephemera.platform.states import State

#: How many requests of one app are held at most.
QUEUE_MAX = 1000
_ON_THE_WAY = frozenset({State.STARTING, State.RESTARTING, State.REPLACING, State.CREATED})
_AT_REST = frozenset(
    {State.STOPPED, State.SUSPENDED, State.FAILED, State.STOPPING, State.SUSPENDING}
)


class Dispatcher:
    """The `Router` of a platform.

    Args:
        reaches: Says whether a client, known by its address, may reach an app.
        tls: Returns what the TLS listener answers with.
        say: Writes into an app's log: app, machine, region, level, message.
    """

    def __init__(
        self,
        fleet: Fleet,
        hosts: Hosts,
        loads: Loads,
        arrivals: Arrivals,
        queues: Queues,
        checks: Checks,
        *,
        socket_to: SocketTo,
        reaches: Callable[[str, AppRecord], bool],
        tls: Callable[[], ssl.SSLContext],
        say: Callable[[str, str, str, str, str], None],
    ) -> None:
        self._fleet = fleet
        self._hosts = hosts
        self._loads = loads
        self._arrivals = arrivals
        self._queues = queues
        self._checks = checks
        self._socket_to = socket_to
        self._targets = Targets(hosts, reaches)
        #: To be told of whatever may change which machines take requests.
        self.ready = Ready(loads, lambda post: self._phase(post) is Phase.READY)
        self._tls = tls
        self._say = say

    # the Router of the engine

    def entrance(self, host: str, port: int, *, tls: bool, client: str = "") -> Entrance:
        """Return what there is at a name and a port. Starts nothing, and does not wait.

        Args:
            client: Its address; a machine finds the apps only that it may reach.

        Raises:
            ProxyRefusal: there is no such app, or it offers nothing there.
        """
        app = self._targets.app(host, client)
        posts = self._fleet.posts(app.id, port, tls=tls)
        if not posts:
            raise nowhere.nothing_there(app, port, self._fleet.of(app.id), tls=tls)
        newest = posts[-1]
        opening = newest.opening
        by_connection = newest.offer.by_connection
        return Way(app.id, opening.force_https, by_connection, opening.http_options)

    async def seat(self, asked: Asked) -> Place:
        """Return a place at a machine; one that is at rest is started and waited for.

        Raises:
            ProxyRefusal: there is no machine for it, or none that could be started.
        """
        target = self._targets.of(asked)
        try:
            return await self._seat(asked, target)
        except ProxyRefusal as error:
            fallback = self._targets.fallback(asked, target, error)
            if fallback is None:
                raise
            return await self._seat(asked, fallback)

    def tls(self) -> ssl.SSLContext:
        """Return what the TLS listener answers with."""
        return self._tls()

    def say(self, app_id: str, machine_id: str, region: str, level: str, message: str) -> None:
        """Write a line of the proxy into an app's log."""
        self._say(app_id, machine_id, region, level, message)

    # the same for those who pass bytes

    async def seat_at(
        self,
        app: AppRecord,
        where: Hashable,
        posts: Callable[[], Sequence[Post]],
        avoid: frozenset[str] = frozenset(),
    ) -> Place:
        """Return a place at one of some posts of an app, as `seat` does.

        Args:
            where: What tells these posts from others of the app.
            avoid: Machines that did not take the connection.

        Raises:
            ProxyRefusal: there is no machine for it, or none that could be started.
        """
        return await self._held(Target(app, HELD_MAX_S), where, posts, avoid)

    # how

    async def _seat(self, asked: Asked, target: Target) -> Place:
        for machine_id in asked.avoid:
            self._doubt(target.app.id, machine_id)

        def posts() -> Sequence[Post]:
            return self._fleet.posts(target.app.id, asked.port, tls=asked.tls)

        return await self._held(target, (asked.port, asked.tls), posts, asked.avoid)

    async def _held(
        self,
        target: Target,
        where: Hashable,
        posts: Callable[[], Sequence[Post]],
        avoid: frozenset[str],
    ) -> Place:
        """Return a place, as soon as there is one."""
        if target.wish is WHICHEVER and not avoid:
            free = self.ready.least_loaded(target.app.id, where, posts())
            if free:
                return self._place(free, target)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + target.patience_s
        failed: ProxyRefusal | None = None
        wish = replace(target.wish, avoid=target.wish.avoid | avoid) if avoid else target.wish
        while True:
            there = posts()
            choice = choose((self._candidate(one) for one in there), wish)
            if choice.take:
                if choice.bring:
                    more = _post(there, choice.bring)
                    self._arrivals.bring(more.record, more.offer)
                return self._place(_post(there, choice.take), target)
            if not (choice.bring or choice.wait):
                raise failed or nowhere.nobody(target, there, avoid, self._checks)
            left = deadline - loop.time()
            if left <= 0:
                raise nowhere.too_late(target, there, choice)
            error = await self._pause(target.app, (where, wish), there, choice.bring, left)
            if error:
                failed = error
                wish = replace(wish, avoid=wish.avoid | {choice.bring})

    async def _pause(
        self, app: AppRecord, kind: Hashable, there: Sequence[Post], bring: str, left: float
    ) -> ProxyRefusal | None:
        """Wait until it is worth looking again; return why a machine could not be brought up."""
        if self._queues.length(app.id) >= QUEUE_MAX:
            raise nowhere.queue_full(app, QUEUE_MAX)
        if not bring:
            await self._queues.wait(app.id, left, kind)
            return None
        post = _post(there, bring)
        changed = asyncio.ensure_future(self._queues.wait(app.id, left, kind))
        with self._arrivals.waiting(post.record, post.offer) as task:
            try:
                await asyncio.wait([task, changed], return_when=asyncio.FIRST_COMPLETED)
            finally:
                changed.cancel()
                with suppress(asyncio.CancelledError):
                    await changed
        return _error(task) if task.done() else None

    def _candidate(self, post: Post) -> Candidate:
        record, offer = post.record, post.offer
        return Candidate(
            record.id,
            record.region,
            self._phase(post),
            self._loads.of_service(record.id, offer.internal_port),
            offer.soft_limit,
            offer.hard_limit,
        )

    def _phase(self, post: Post) -> Phase:
        record, offer = post.record, post.offer
        if record.cordoned:
            return Phase.OUT
        if record.state is State.STARTED:
            return self._phase_of_started(record, post)
        if record.state in _ON_THE_WAY and (record.state is State.STARTING or record.launch):
            return Phase.COMING
        if record.state is State.RESTARTING:
            return Phase.COMING
        return Phase.RESTING if record.state in _AT_REST and offer.autostart else Phase.OUT

    def _phase_of_started(self, record: MachineRecord, post: Post) -> Phase:
        standing = self._checks.standing(record.id, post.offer.checks)
        if standing is Standing.BAD:
            return Phase.OUT
        listens = self._arrivals.addresses(record, post.offer.internal_port)
        return Phase.READY if listens and standing is Standing.GOOD else Phase.COMING

    def _place(self, post: Post, target: Target) -> Place:
        record, port = post.record, post.offer.internal_port
        self._loads.take(record.id, port)
        return Place(
            post,
            self._arrivals.addresses(record, port),
            target.headers(record.id),
            self._socket_to,
            lambda: self._give_back(record, port),
        )

    def _give_back(self, record: MachineRecord, port: int) -> None:
        self._loads.give_back(record.id, port)
        self._queues.wake_one(record.app_id)

    def _doubt(self, app_id: str, machine_id: str) -> None:
        for member in self._fleet.of(app_id):
            if member.record.id == machine_id:
                for offer in member.offers:
                    self._arrivals.doubt(machine_id, offer.internal_port)


def _post(there: Sequence[Post], machine_id: str) -> Post:
    return next(one for one in there if one.record.id == machine_id)


def _error(task: asyncio.Task[None]) -> ProxyRefusal | None:
    if task.cancelled():
        return ProxyRefusal(503, "the platform is stopping", code="PM10")
    error = task.exception()
    if error is None or isinstance(error, ProxyRefusal):
        return error
    raise error
