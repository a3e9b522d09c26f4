"""The ports of services that are not HTTP: a listener for each, and a machine for each connection.

A port is opened at the app's own loopback address where it has one (`ephemera ips allocate-v4`),
else at 127.0.0.1, where it is one app's. What cannot be had is said in the app's log, and tried
again when something changes.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ephemera.platform.dialing import dial
from ephemera.platform.proxy import proxy_protocol
from ephemera.platform.proxy.dispatch import Dispatcher
from ephemera.platform.proxy.fleet import Fleet, Post
from ephemera.platform.proxy.offers import Offer, Opening
from ephemera.platform.proxy.ports import PORTS_MAX, ServedPort, bound, left_its_network, why_not
from ephemera.platform.proxy.refusing import logged
from ephemera.platform.proxy.relay import Incoming, Side
from ephemera.platform.proxy.routing import ProxyRefusal
from ephemera.platform.proxy.seats import Place
from ephemera.platform.records import AppRecord

_BACKLOG = 512
_CONNECT_S = 5.0
#: How often another machine is tried for one connection.
_TRIES = 3


@dataclass(slots=True)
class _Open:
    """A listener, and those who are connected by it."""

    host: str
    tls: bool
    server: asyncio.Server
    clients: set[Incoming]


class TcpServices:
    """All ports of a platform that are not HTTP.

    Args:
        app: Returns an app by its id.
        addresses: Returns the loopback addresses that are an app's own.
        tls: Returns what ports with the handler `tls` answer with.
        doubt: Told of a machine, and a port of it, that did not take a connection.
    """

    def __init__(
        self,
        fleet: Fleet,
        dispatcher: Dispatcher,
        *,
        app: Callable[[str], AppRecord],
        addresses: Callable[[AppRecord], Sequence[str]],
        tls: Callable[[], ssl.SSLContext],
        doubt: Callable[[str, int], None],
    ) -> None:
        self._fleet = fleet
        self._dispatcher = dispatcher
        self._app = app
        self._addresses = addresses
        self._tls = tls
        self._doubt = doubt
        self._open: dict[tuple[str, int], _Open] = {}
        self._problems: dict[tuple[str, int], str] = {}

    async def update(self) -> None:
        """Open the ports that are wanted, and close the others."""
        wanted = {
            (app_id, port): post
            for app_id in self._fleet.apps()
            for port, post in self._wanted(app_id)
        }
        for key in [key for key in self._open if key not in wanted]:
            self._close(key)
        self._problems = {key: why for key, why in self._problems.items() if key in wanted}
        for key, post in wanted.items():
            await self._ensure(key, post)

    def ports(self, app_id: str) -> list[ServedPort]:
        """Return the ports of an app that are not HTTP, in order."""
        found = []
        for port, post in sorted(self._wanted(app_id), key=lambda one: one[0]):
            held = self._open.get((app_id, port))
            address = f"{held.host}:{port}" if held else ""
            problem = "" if held else self._problems.get((app_id, port), "not opened yet")
            found.append(ServedPort(app_id, port, post.offer.internal_port, address, problem))
        return found

    def close(self) -> None:
        """Close all ports, and hang up on everybody."""
        for key in list(self._open):
            self._close(key)

    def _wanted(self, app_id: str) -> Iterator[tuple[int, Post]]:
        """Yield the ports that machines of an app want, each once."""
        seen: set[int] = set()
        for member in self._fleet.of(app_id):
            for offer in member.offers:
                for opening in offer.openings:
                    if opening.is_http:
                        continue
                    for port in range(opening.first, opening.last + 1):
                        if port not in seen and len(seen) < PORTS_MAX:
                            seen.add(port)
                            yield port, Post(member, offer, opening)

    async def _ensure(self, key: tuple[str, int], post: Post) -> None:
        app = self._app(key[0])
        host = next(iter(self._addresses(app)), "127.0.0.1")
        held = self._open.get(key)
        if held and (held.host, held.tls) == (host, post.opening.is_tls):
            return
        if held:
            self._close(key)
        problem = _unserved(post.offer, post.opening) or await self._listen(key, host, post)
        if problem and self._problems.get(key) != problem:
            said = f"port {key[1]} is not served: {problem}"
            self._dispatcher.say(key[0], post.record.id, post.record.region, "error", said)
        self._problems.pop(key, None)
        if problem:
            self._problems[key] = problem

    async def _listen(self, key: tuple[str, int], host: str, post: Post) -> str:
        """Open a port; return why it cannot be had, else nothing."""
        clients: set[Incoming] = set()

        def accepted() -> Incoming:
            client = Incoming(lambda transport: self._connect(key, transport), clients.discard)
            clients.add(client)
            return client

        try:
            tls = self._tls() if post.opening.is_tls else None
            sock = bound(host, key[1])
        except (OSError, ValueError) as error:
            return why_not(host, key[1], error)
        server = await asyncio.get_running_loop().create_server(
            accepted, sock=sock, backlog=_BACKLOG, ssl=tls
        )
        self._open[key] = _Open(host, post.opening.is_tls, server, clients)
        return ""

    def _close(self, key: tuple[str, int]) -> None:
        held = self._open.pop(key)
        held.server.close()
        for client in list(held.clients):
            client.reset()

    async def _connect(self, key: tuple[str, int], client: asyncio.Transport) -> Side | None:
        """Return the side of a machine for a client; None where there is none."""
        avoid: frozenset[str] = frozenset()
        for _ in range(_TRIES):
            try:
                place = await self._dispatcher.seat_at(
                    self._app(key[0]), key, lambda: self._posts(key), avoid
                )
            except ProxyRefusal as error:
                self._complain(key, error)
                return None
            side = await self._reach(place, client)
            if side:
                return side
            avoid |= {place.machine_id}
        return None

    def _complain(self, key: tuple[str, int], error: ProxyRefusal) -> None:
        """Say why a connection got no machine."""
        post = next(iter(self._posts(key)), None)
        region = post.record.region if post else ""
        self._dispatcher.say(key[0], error.machine_id, region, "error", logged(error))

    async def _reach(self, place: Place, client: asyncio.Transport) -> Side | None:
        """Return a connection to the machine of a place, which is given back when it ends."""
        port = place.addresses[0][1]
        try:
            async with asyncio.timeout(_CONNECT_S):
                hosts = [host for host, _ in place.addresses]
                _, sock = await dial(hosts, port, place.socket)
            side = _Outgoing(place)
            await asyncio.get_running_loop().create_connection(lambda: side, sock=sock)
        except (OSError, TimeoutError):
            place.release()
            self._doubt(place.machine_id, port)
            return None
        except BaseException:
            place.release()
            raise
        version = place.post.opening.proxy_protocol
        if version and side.transport:
            names = client.get_extra_info("peername"), client.get_extra_info("sockname")
            side.transport.write(proxy_protocol.header(version, names[0][:2], names[1][:2]))
        return side

    def _posts(self, key: tuple[str, int]) -> Sequence[Post]:
        app_id, port = key
        return [
            Post(member, offer, opening)
            for member in self._fleet.of(app_id)
            for offer in member.offers
            for opening in offer.openings
            if not opening.is_http and opening.first <= port <= opening.last
        ]


class _Outgoing(Side):
    """The connection to a machine, which counts as load until it ends."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        self._place = place

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio."""
        self._place.release()
        super().connection_lost(exc)


def _unserved(offer: Offer, opening: Opening) -> str:
    """Return why a port is never served, else nothing."""
    if offer.protocol != "tcp":
        return f"{offer.protocol.upper()} is not served by this platform"
    if "pg_tls" in opening.handlers:
        return "the handler pg_tls is not served by this platform"
    return left_its_network()
