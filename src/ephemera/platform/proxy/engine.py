"""All of the proxy that speaks HTTP: its connections and requests, and what they share.

One `sweep` a second looks after all time limits, instead of a timer for each connection and each
request; where no connection is open, nothing wakes up.
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Callable
from contextlib import suppress

from ephemera.platform.proxy import refusing
from ephemera.platform.proxy.exchange import Exchange, refuse
from ephemera.platform.proxy.http1 import Http1
from ephemera.platform.proxy.negotiated import Negotiated
from ephemera.platform.proxy.pool import Pool
from ephemera.platform.proxy.routing import ProxyRefusal, Router
from ephemera.platform.proxy.serving import Connection
from ephemera.platform.proxy.streams import Listener, Stream
from ephemera.wire.ids import new_ulid

#: More wait until others have gone; and never more than a quarter of what may be open at all.
CONNECTIONS_MAX = 8192
#: How many beyond are told so, which takes a moment; still more are hung up on at once.
_TOLD_MAX = 256
_SWEEP_S = 1.0


class Engine:
    """Answers clients with what machines say.

    Args:
        region: Where requests come in: the platform's first.
        tls_port: Where `force_https` sends clients.
    """

    def __init__(
        self,
        router: Router,
        *,
        region: str,
        tls_port: int,
        connections_max: int | None = None,
    ) -> None:
        self.router = router
        self.pool = Pool()
        self.region = region
        self.tls_port = tls_port
        self._loop = asyncio.get_running_loop()
        self._connections_max = connections_max or _room()
        self.connections: set[Connection] = set()
        self._sent_away: set[Connection] = set()
        self._exchanges: set[Exchange] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._is_draining = False
        #: Set when a connection has ended.
        self._left = asyncio.Event()

    def protocol(self, listener: Listener) -> Callable[[], asyncio.Protocol]:
        """Return what makes the protocol of each connection that a listener takes."""
        if not listener.tls:
            return lambda: Http1(self, listener)

        def choose(agreed: str | None) -> asyncio.Protocol:
            if agreed != "h2":
                return Http1(self, listener)
            from ephemera.platform.proxy.http2 import Http2

            return Http2(self, listener)

        return lambda: Negotiated(choose)

    async def drain(self, grace_s: float) -> None:
        """Take no more requests, and answer those that are there, for so many seconds at most."""
        self._is_draining = True
        for connection in list(self.connections):
            connection.wind_down()
        with suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                while self.connections:
                    self._left.clear()
                    await self._left.wait()

    async def close(self) -> None:
        """Hang up on everybody."""
        for connection in [*self.connections, *self._sent_away]:
            connection.abort()
        self.pool.close()
        if self._timer:
            self._timer.cancel()
            self._timer = None

    # what connections need

    def admit(self, connection: Connection) -> bool:
        """See `Host`."""
        there_is_room = len(self.connections) < self._connections_max
        if there_is_room:
            self.connections.add(connection)
        elif len(self._sent_away) < _TOLD_MAX:
            self._sent_away.add(connection)
        else:
            connection.abort()
        self._wind_up()
        return there_is_room

    def leave(self, connection: Connection) -> None:
        """See `Host`."""
        self.connections.discard(connection)
        self._sent_away.discard(connection)
        self._left.set()

    async def serve(self, stream: Stream) -> None:
        """See `Host`."""
        if self._is_draining:
            stopping = ProxyRefusal(503, "the platform is stopping", retry_after_s=1)
            refuse(stream, stopping, new_ulid())
            return
        exchange = Exchange(stream, self)
        self._exchanges.add(exchange)
        try:
            await exchange.run()
        finally:
            self._exchanges.discard(exchange)

    # what exchanges need

    def complain(self, refusal: ProxyRefusal) -> None:
        """Write a refusal into the log of its app, if it has one."""
        if refusal.app_id:
            line = refusing.logged(refusal)
            self.router.say(refusal.app_id, refusal.machine_id, self.region, "error", line)

    # time limits

    def _wind_up(self) -> None:
        if self._timer is None:
            self._timer = self._loop.call_later(_SWEEP_S, self._sweep)

    def _sweep(self) -> None:
        self._timer = None
        now = self._loop.time()
        for exchange in list(self._exchanges):
            exchange.expire_if_idle(now)
        for connection in [*self.connections, *self._sent_away]:
            connection.expire(now)
        self.pool.sweep()
        if self.connections or self._sent_away or not self.pool.empty:
            self._wind_up()


def _room() -> int:
    """Return how many connections fit: each takes one descriptor, and its machine another."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return CONNECTIONS_MAX if soft == resource.RLIM_INFINITY else min(CONNECTIONS_MAX, soft // 4)
