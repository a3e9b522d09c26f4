"""An address of this computer for each app, for machines that are processes.

Many programs do not resolve names below `localhost`, unlike browsers. So what a machine is told
of its app in `EPHEMERA_APP_URL` has no name in it: `http://127.x.y.z:4281`, worked out from the
app's id. What comes in there is as if it had come in at `<app>.localhost`, and so it is told to the
app. Only Linux has all of 127.0.0.0/8.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
from collections.abc import Callable, Iterable
from functools import lru_cache
from ipaddress import IPv4Address
from urllib.parse import urlsplit

from ephemera.platform.proxy.fleet import Fleet
from ephemera.platform.proxy.ports import bound, left_its_network, why_not
from ephemera.platform.proxy.routing import HTTP_PORT
from ephemera.platform.proxy.streams import Listener
from ephemera.platform.proxy.webports import Serve
from ephemera.platform.records import AppRecord

_HOST = "127.0.0.1"
_BACKLOG = 512
#: The upper half of what is this computer; the lower has the addresses that `ips` gives to apps.
_FIRST, _COUNT = IPv4Address("127.128.0.1"), 2**23 - 2


class Doors:
    """The addresses of apps, each at the port of the proxy's plain listener.

    Args:
        apps: Returns all apps, oldest first.
        plain: The plain listener, such as `http://127.0.0.1:4281`; empty where there is none.
        private: Whether machines have networks of their own, and find their app there.
        say: Writes into an app's log: app, machine, region, level, message.
    """

    def __init__(
        self,
        fleet: Fleet,
        apps: Callable[[], Iterable[AppRecord]],
        plain: str,
        private: Callable[[], bool],
        say: Callable[[str, str, str, str, str], None],
    ) -> None:
        self._fleet = fleet
        self._apps = apps
        self._plain = urlsplit(plain)
        self._private = private
        self._say = say
        #: How requests are answered; None until somebody does.
        self.serve: Serve | None = None
        self._open: dict[str, asyncio.Server] = {}

    def url(self, app: AppRecord) -> str:
        """Return where an app is found by its machines; empty where it has no address."""
        mine = address(app.id)
        first = next((one for one in self._apps() if address(one.id) == mine), app)
        is_mine = self._are_there() and first.id == app.id
        return f"http://{mine}:{self._plain.port}" if is_mine else ""

    async def update(self) -> None:
        """Listen for the apps that have machines with services, and for no others."""
        offering = set(self._fleet.apps())
        wanted = {app.id: app for app in self._holders() if app.id in offering}
        for app_id in self._open.keys() - wanted.keys():
            self._open.pop(app_id).close()
        for app in wanted.values():
            if app.id not in self._open and self.serve:
                await self._listen(app, self.serve)

    def _are_there(self) -> bool:
        """Whether apps have such addresses at all."""
        there = sys.platform == "linux" and self._plain.hostname == _HOST
        return there and not self._private() and not left_its_network()

    def _holders(self) -> Iterable[AppRecord]:
        """Return the apps that have an address, found in one go: there may be many."""
        found: dict[str, AppRecord] = {}
        for app in self._apps() if self._are_there() else ():
            found.setdefault(address(app.id), app)
        return found.values()

    def close(self) -> None:
        """Take no clients any more."""
        for server in self._open.values():
            server.close()
        self._open.clear()

    async def _listen(self, app: AppRecord, serve: Serve) -> None:
        host, port = address(app.id), self._plain.port or HTTP_PORT
        try:
            sock = bound(host, port)
        except OSError as error:
            why = f"machines do not find the app at EPHEMERA_APP_URL: {why_not(host, port, error)}"
            self._say(app.id, "", "", "error", why)
            return
        authority = f"{app.name}.localhost:{port}"
        make = serve(Listener(HTTP_PORT, False, port, authority, is_inside=True))
        self._open[app.id] = await asyncio.get_running_loop().create_server(
            make, sock=sock, backlog=_BACKLOG
        )


@lru_cache(maxsize=65_536)
def address(app_id: str) -> str:
    """Return the address of an app. Very few have the same; of those the oldest app has it."""
    number = int.from_bytes(hashlib.sha256(app_id.encode()).digest()[:8])
    return str(_FIRST + number % _COUNT)
