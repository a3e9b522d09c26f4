"""Where the clients of apps come in: the listeners of the proxy, from their first connection on.

Most platforms run jobs and serve no app, so the engine is loaded by the first client, and what
TLS needs by the first that speaks it. Until then there are sockets that listen, and nothing else.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ephemera.platform.proxy.routing import HTTP_PORT, HTTPS_PORT, Router
from ephemera.platform.proxy.streams import Listener

if TYPE_CHECKING:
    from ephemera.platform.proxy.engine import Engine

_log = logging.getLogger(__name__)

_BACKLOG = 2048
#: How long a client may take to agree on TLS, and to say goodbye.
_HANDSHAKE_S, _SHUTDOWN_S = 15.0, 2.0


class Front:
    """The listeners of one platform.

    Args:
        plain: Listens already, as does `tls`. Both are closed at the end.
        region: Where requests come in.
    """

    def __init__(
        self, plain: socket.socket, tls: socket.socket, router: Router, region: str
    ) -> None:
        self._plain = plain
        self._tls = tls
        self._tls_port = tls.getsockname()[1]
        self._router = router
        self._region = region
        self._engine: Engine | None = None
        self._waiting: dict[int, socket.socket] = {}
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self, private: Sequence[socket.socket]) -> None:
        """Wait for clients.

        Args:
            private: Sockets at which machines find the plain port, in their networks.
        """
        port = self._plain.getsockname()[1]
        self._await_first(self._plain, Listener(HTTP_PORT, False, port))
        self._await_first(self._tls, Listener(HTTPS_PORT, True, self._tls_port))
        for one in private:
            self._await_first(one, Listener(HTTP_PORT, False, HTTP_PORT, is_inside=True))

    def protocol(self, listener: Listener) -> Callable[[], asyncio.Protocol]:
        """Return what makes the protocol of each connection that another listener takes."""
        return lambda: self._loaded().protocol(listener)()

    async def drain(self, grace_s: float) -> None:
        """Take no clients any more; answer those that are there, for so many seconds at most."""
        await self._stop_listening()
        if self._engine:
            await self._engine.drain(grace_s)

    async def close(self) -> None:
        """Take no clients any more, and hang up on those that are there. Repeating is safe."""
        await self._stop_listening()
        if self._engine:
            await self._engine.close()

    async def _stop_listening(self) -> None:
        loop = asyncio.get_running_loop()
        for descriptor, listener in self._waiting.items():
            loop.remove_reader(descriptor)
            listener.close()
        self._waiting.clear()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for server in self._servers:
            server.close()

    def _await_first(self, sock: socket.socket, listener: Listener) -> None:
        sock.setblocking(False)
        self._waiting[sock.fileno()] = sock
        loop = asyncio.get_running_loop()
        loop.add_reader(sock.fileno(), self._first, sock, listener)

    def _first(self, sock: socket.socket, listener: Listener) -> None:
        """Answer from now on."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(sock.fileno())
        del self._waiting[sock.fileno()]
        task = loop.create_task(self._serve(sock, listener))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, sock: socket.socket, listener: Listener) -> None:
        try:
            context = self._router.tls() if listener.tls else None
        except (OSError, ValueError):  # ssl.SSLError is an OSError
            _log.exception("the proxy cannot speak TLS: its certificates cannot be used")
            sock.close()
            return
        make = self._loaded().protocol(listener)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            make,
            sock=sock,
            ssl=context,
            backlog=_BACKLOG,
            ssl_handshake_timeout=_HANDSHAKE_S if context else None,
            ssl_shutdown_timeout=_SHUTDOWN_S if context else None,
        )
        self._servers.append(server)

    def _loaded(self) -> Engine:
        if self._engine is None:
            from ephemera.platform.proxy.engine import Engine

            self._engine = Engine(self._router, region=self._region, tls_port=self._tls_port)
        return self._engine
