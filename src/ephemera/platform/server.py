"""One server for one state folder, from taking the folder to giving it back.

```
lock the folder ─► bind the ports ─► open the store ─► adopt the machines ─► serve
                                                                              │ SIGTERM, SIGINT
give the folder back ◄─ close the store ◄─ let go of the machines ◄───────────┘
```

Machines are not touched by any of this: they live on when the server stops, however it stops.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import resource
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
import uvloop
from sqlalchemy.exc import DatabaseError

from ephemera import __version__
from ephemera.errors import ConfigError
from ephemera.home import (
    Endpoint,
    make_home,
    read_endpoint,
    remove_endpoint,
    write_endpoint,
)
from ephemera.platform import app, migrate
from ephemera.platform.access.callers import Callers
from ephemera.platform.access.owner_token import ensure_token
from ephemera.platform.binding import Listeners, base_url, listening
from ephemera.platform.drivers import entered, open_driver
from ephemera.platform.faults.over_http import SeverableProtocol
from ephemera.platform.faults.stage import Stage
from ephemera.platform.locking import locked
from ephemera.platform.platform import Platform
from ephemera.platform.proxy.front import Front
from ephemera.platform.settings import Settings
from ephemera.platform.store import Store
from ephemera.platform.upgrading import HttpProtocol

_log = logging.getLogger(__name__)
_socket_log = logging.getLogger(f"{__name__}.sockets")
_socket_log.setLevel(logging.WARNING)
# Said of every refusal, which is an answer and completes the handshake.
_socket_log.addFilter(lambda record: "without completing handshake" not in str(record.msg))

#: How many objects there may be more of before Python looks for cycles among them: those of some
#: launches. With 700, its own default, it looks at what launches under way still need.
_OBJECTS_MORE = 5_000
#: How long requests that are being answered may take when the server stops.
_GRACE_S = 3
#: How long a connection is kept on which nothing is asked: longer than clients do. Where both hang
#: up after as long, as with the usual 5 s, a request may meet the end of its connection.
_IDLE_S = 75
#: Of one message of a WebSocket: what somebody pastes into a terminal.
_MESSAGE_BYTES_MAX = 1024 * 1024
#: How long the client of a WebSocket may leave a ping unanswered. It does so while its user holds
#: up the output with Ctrl-S, and for ever when its computer is gone.
_SILENCE_MAX_S = 600.0


def serve(
    home: Path,
    listen: str,
    driver_name: str,
    ready: Callable[[str], None],
    settings: Settings = Settings(),  # noqa: B008 - a value
) -> None:
    """Serve the platform of a state folder until SIGTERM or SIGINT.

    Args:
        home: The state folder; made if it is not there.
        listen: `HOST:PORT`.
        driver_name: How machines are run, see `ephemera.platform.drivers`.
        ready: Called with the base URL once requests are answered.
        settings: Its regions, and what else it keeps to until it stops.

    Raises:
        ConfigError: the folder, the address or the driver cannot be used.
        DriverError: the driver cannot run on this computer.
    """
    make_home(home)
    _allow_many_descriptors()
    with (
        _refused_as_config_error(home),
        locked(home),
        listening(
            read_endpoint(home), listen, settings
        ) as listeners,  # before this computer's network is left
        entered(driver_name, home.absolute()),
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        runner.run(_serve(home, listeners, driver_name, ready, settings))


def _allow_many_descriptors() -> None:
    """Take all that this process may have: each machine that runs holds one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@contextmanager
def _refused_as_config_error(home: Path) -> Iterator[None]:
    """Say it clearly where a part of the state folder is not what it must be."""
    try:
        yield
    except (OSError, DatabaseError) as error:
        why = error.orig if isinstance(error, DatabaseError) else error
        where = home / "platform.db" if isinstance(error, DatabaseError) else home
        raise ConfigError(
            f"the state folder cannot be used: {where}: {why}",
            hint="move aside what is in the way, or set EPHEMERA_HOME to another folder",
        ) from error


async def _serve(
    home: Path,
    listeners: Listeners,
    driver_name: str,
    ready: Callable[[str], None],
    settings: Settings,
) -> None:
    url, proxies = base_url(listeners.api), listeners.proxies
    (home / "logs").mkdir(exist_ok=True)
    store = Store(home / "platform.db")
    driver = open_driver(driver_name, home)
    stage = Stage(driver) if settings.testing else None
    platform: Platform | None = None
    front: Front | None = None
    try:
        migrate.upgrade(store.engine)
        if stage:
            platform = stage.platform(store, home, url, settings, proxies)
        else:
            platform = Platform(store, driver, home, url, settings, proxies=proxies)
        await platform.open()
        router, region = platform.traffic.router, settings.regions[0]
        front = Front(listeners.proxy, listeners.proxy_tls, router, region)
        front.open(platform.networks.proxy_listeners())
        platform.traffic.serve_http(front.protocol)
        server = _Server(platform, front, ensure_token(home), stage)
        _settle()
        endpoint = Endpoint(
            url,
            os.getpid(),
            driver_name,
            time.time(),
            __version__,
            settings.options(),
            proxies.plain,
            proxies.tls,
        )
        await server.serve_on(listeners.api, lambda: _announce(home, endpoint, ready))
    finally:
        if front:
            await front.close()
        if platform:
            await platform.close()
        store.close()
        remove_endpoint(home)


def _settle() -> None:
    """Have what is there from now on left alone by Python's search for garbage."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS_MORE)


def _announce(home: Path, endpoint: Endpoint, ready: Callable[[str], None]) -> None:
    write_endpoint(home, endpoint)
    _log.info("the platform serves %s, with the %s driver", endpoint.url, endpoint.driver)
    ready(endpoint.url)


def _web_socket(config: uvicorn.Config, **others: Any) -> asyncio.Protocol:
    """Return what speaks to the client of a WebSocket. Imported late: few servers need it."""
    from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

    protocol = WebSocketsSansIOProtocol(config, **others)
    # It would say what is run in a terminal, and there may be a secret in that.
    protocol.logger = protocol.conn.logger = _socket_log
    return protocol


class _Server(uvicorn.Server):
    """uvicorn, with our own signals, and with an end to the requests that are held open."""

    def __init__(self, platform: Platform, front: Front, token: str, stage: Stage | None) -> None:
        config = uvicorn.Config(
            app.build(platform, token, stage),
            http=SeverableProtocol if stage else HttpProtocol,
            lifespan="off",
            ws=_web_socket,  # type: ignore[arg-type]  # it is called, and nothing else
            ws_max_size=_MESSAGE_BYTES_MAX,
            ws_per_message_deflate=False,  # what a terminal shows is short, or in a hurry
            ws_ping_timeout=_SILENCE_MAX_S,
            access_log=False,
            proxy_headers=False,  # nobody asks where a request says that it comes from
            log_config=None,
            timeout_graceful_shutdown=_GRACE_S,
            timeout_keep_alive=_IDLE_S,
        )
        super().__init__(config)
        self._platform = platform
        self._front = front
        self._callers = Callers(
            config, self.server_state, platform.networks.network_of, severable=stage is not None
        )
        self._announce: Callable[[], None] = lambda: None

    async def serve_on(self, listener: socket.socket, announce: Callable[[], None]) -> None:
        """Serve until a signal says to stop."""
        self._announce = announce
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(signum, self._stop)
        await self.serve(sockets=[listener])

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to us: uvicorn would raise them again before we have cleaned up."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer, and say so."""
        await super().startup(sockets)
        loop = asyncio.get_running_loop()
        for inside in self._platform.networks.listeners():
            answers = self._callers.through_network
            self.servers.append(await loop.create_server(answers, sock=inside))
        self._platform.sockets.serve(self._callers.through_socket)
        self._announce()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept nobody any more, and let the requests that are open finish."""
        await self._platform.sockets.stop()
        await asyncio.gather(super().shutdown(sockets), self._front.drain(_GRACE_S))

    def _stop(self) -> None:
        self.should_exit = True  # first: whatever else fails, it ends
        self._platform.release()
