"""At which address machines find the supervisor.

```
a web application takes reports      at its own URL, which wakes it where it was stopped as idle
the platform is on this computer     it says where its machines reach this computer
we are in a machine of a platform    our own private address, if jobs get machines of our app
neither                              nowhere: reports are fetched
```

A platform whose machines have no network of their own says: the loopback address.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import os
from collections.abc import Mapping
from contextlib import AsyncExitStack
from urllib.parse import urlsplit

from starlette.applications import Starlette

from ephemera.client import AsyncClient
from ephemera.client.own.networks import reach
from ephemera.errors import EphemeraError, NotFound, Unauthorized
from ephemera.jobs.clock import Clock
from ephemera.jobs.reports import LOOPBACK, listening
from ephemera.jobs.settings import Settings

_log = logging.getLogger("ephemera.jobs")

#: Shorter than the supervisor's lease, which is not renewed meanwhile.
_PATIENCE_S = 3.0
_ASK_AGAIN_S = 10.0


def may_push(client: AsyncClient, settings: Settings) -> bool:
    """Return whether machines are to report by themselves."""
    if settings.report != "auto":
        return settings.report == "push"
    if settings.report_url:
        return True
    return client.local or _is_neighbour(client, settings, os.environ)


class Listeners:
    """Where machines report to: on the loopback address at once, and where they reach us later.

    Asking the platform may start it, so nobody asks before there is work. It is asked again now
    and then: another one may be at its address, which runs machines in another way.

    Args:
        app: What answers.
        stack: Ends what was begun.
    """

    def __init__(self, app: Starlette, clock: Clock, stack: AsyncExitStack) -> None:
        self._app = app
        self._clock = clock
        self._stack = stack
        self._urls: dict[str, str] = {}
        self._ask_at = 0.0
        self._last: str | None = None

    async def open(self, port: int) -> str:
        """Listen where only this computer reaches us, and return the URL.

        Args:
            port: The one to have if it is free.
        """
        return await self._listen(LOOPBACK, port)

    def are_due(self) -> bool:
        """Return whether it is time to ask again; else the last answer is still good."""
        return self._clock.now() >= self._ask_at

    async def for_machines(self, client: AsyncClient) -> str | None:
        """Return the URL at which machines find us; None where they do not, or nobody knows."""
        if self.are_due():
            self._ask_at = self._clock.now() + _ASK_AGAIN_S
            self._last = await self._find(client)
        return self._last

    async def _find(self, client: AsyncClient) -> str | None:
        try:
            host = await _report_host(client, os.environ)
            return await self._listen(host, urlsplit(self._urls[LOOPBACK]).port or 0)
        except (EphemeraError, TimeoutError, OSError) as error:
            _log.debug("Machines do not reach this computer, their reports are fetched: %s", error)
            return None

    async def _listen(self, host: str, port: int) -> str:
        if host not in self._urls:
            listener = listening(self._app, host=host, port=port)
            self._urls[host] = await self._stack.enter_async_context(listener)
        return self._urls[host]


async def _report_host(client: AsyncClient, environ: Mapping[str, str]) -> str:
    """Return the address of this computer at which machines reach it."""
    if not client.local:
        return _private_address(environ) or LOOPBACK
    try:
        async with asyncio.timeout(_PATIENCE_S):
            return await reach(client)
    except (NotFound, Unauthorized):  # no platform of ours, or none that lets us know
        return LOOPBACK


def _is_neighbour(client: AsyncClient, settings: Settings, environ: Mapping[str, str]) -> bool:
    """Whether we are in a machine of ours, in the private network that jobs get machines in."""
    in_ours = not client.link.place.fly and bool(environ.get("EPHEMERA_API_SOCKET"))
    of_our_app = settings.app == environ.get("FLY_APP_NAME")
    return in_ours and of_our_app and bool(_private_address(environ))


def _private_address(environ: Mapping[str, str]) -> str:
    """Return the address of this machine in its private network; empty where it has none."""
    address = environ.get("FLY_PRIVATE_IP", "")
    try:
        return "" if ipaddress.ip_address(address).is_loopback else address
    except ValueError:
        return ""
