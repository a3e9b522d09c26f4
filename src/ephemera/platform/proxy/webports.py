"""HTTP at other ports than the two that the proxy always has: opened for whoever offers them.

All apps that offer HTTP at a port share its listener at 127.0.0.1, and are told apart by their
names, as at the others.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

from ephemera.platform.proxy.fleet import Fleet, Post
from ephemera.platform.proxy.ports import PORTS_MAX, ServedPort, bound, left_its_network, why_not
from ephemera.platform.proxy.routing import HTTP_PORT, HTTPS_PORT
from ephemera.platform.proxy.streams import Listener

_HOST = "127.0.0.1"
_BACKLOG = 512
_USUAL = frozenset({(HTTP_PORT, False), (HTTPS_PORT, True)})

#: Returns what makes the protocol of each connection that a listener takes.
Serve = Callable[[Listener], Callable[[], asyncio.Protocol]]
_Key = tuple[int, bool]


class WebPorts:
    """The listeners for HTTP at other ports.

    Args:
        tls: Returns what those with TLS answer with.
        say: Writes into an app's log: app, machine, region, level, message.
    """

    def __init__(
        self,
        fleet: Fleet,
        tls: Callable[[], ssl.SSLContext],
        say: Callable[[str, str, str, str, str], None],
    ) -> None:
        self._fleet = fleet
        self._tls = tls
        self._say = say
        #: How requests are answered; None until somebody does.
        self.serve: Serve | None = None
        self._open: dict[_Key, asyncio.Server] = {}
        self._problems: dict[_Key, str] = {}

    async def update(self) -> None:
        """Open the ports that are wanted, and close the others."""
        wanted = {
            key: post for app_id in self._fleet.apps() for key, post in self._wanted(app_id).items()
        }
        for key in [key for key in self._open if key not in wanted]:
            self._open.pop(key).close()
        self._problems = {key: why for key, why in self._problems.items() if key in wanted}
        for key, post in wanted.items():
            if key not in self._open and self.serve:
                await self._ensure(key, post, self.serve)

    def ports(self, app_id: str) -> list[ServedPort]:
        """Return the other ports at which an app offers HTTP, in order."""
        return [
            ServedPort(
                app_id,
                port,
                post.offer.internal_port,
                f"{_HOST}:{port}" if (port, tls) in self._open else "",
                ""
                if (port, tls) in self._open
                else self._problems.get((port, tls), "not opened yet"),
                scheme="https" if tls else "http",
            )
            for (port, tls), post in sorted(self._wanted(app_id).items(), key=lambda one: one[0])
        ]

    def close(self) -> None:
        """Take no clients any more."""
        for server in self._open.values():
            server.close()
        self._open.clear()

    def _wanted(self, app_id: str) -> dict[_Key, Post]:
        """Return the other ports at which an app offers HTTP."""
        found: dict[_Key, Post] = {}
        for member in self._fleet.of(app_id):
            for offer in member.offers:
                for opening in offer.openings:
                    for port in range(opening.first, opening.last + 1) if opening.is_http else ():
                        key = (port, opening.is_tls)
                        if key not in _USUAL and len(found) < PORTS_MAX:
                            found[key] = Post(member, offer, opening)
        return found

    async def _ensure(self, key: _Key, post: Post, serve: Serve) -> None:
        problem = left_its_network() or await self._listen(key, serve)
        if problem and self._problems.get(key) != problem:
            record = post.record
            said = f"port {key[0]} is not served: {problem}"
            self._say(record.app_id, record.id, record.region, "error", said)
        self._problems.pop(key, None)
        if problem:
            self._problems[key] = problem

    async def _listen(self, key: _Key, serve: Serve) -> str:
        port, is_tls = key
        try:
            context = self._tls() if is_tls else None
            sock = bound(_HOST, port)
        except (OSError, ValueError) as error:
            return why_not(_HOST, port, error)
        make = serve(Listener(port, is_tls, port))
        self._open[key] = await asyncio.get_running_loop().create_server(
            make, sock=sock, backlog=_BACKLOG, ssl=context
        )
        return ""
