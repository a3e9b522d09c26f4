"""Programs in machines that call the API: so many connections, and so much time, for each.

```
connection ──► has its machine, or its network, too many? ──yes──► 503, hung up
                 │ no
                 ▼
               a head within HEAD_S and HEAD_BYTES_MAX ──no──► 408 or 431, hung up
                 │ yes
                 ▼
               the application, as for everybody
```

Each connection takes a descriptor of the server for as long as the program likes, and what runs in
a machine may be anything. Who comes from elsewhere is the owner, or somebody he lets in.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, cast

from uvicorn.config import Config
from uvicorn.server import ServerState

from ephemera.platform.access.principal import Principal
from ephemera.platform.faults.over_http import SeverableProtocol
from ephemera.platform.upgrading import HttpProtocol

#: Of one machine: through its socket, and from each of its addresses.
MACHINE_MAX = 64
#: Of all machines of one private network, in it.
NETWORK_MAX = 512
#: From the first byte of a head to its last, and from a connection to the end of its first head.
HEAD_S = 15.0
#: From one request to the next: longer than most clients keep a connection, and not for long, as
#: each is one of so many.
IDLE_S = 15
#: Of a head, beyond the piece of it that came first.
HEAD_BYTES_MAX = 64 * 1024
#: Who is sent away may take so long to read why, and so many at a time are told at all.
_LINGER_S, _TOLD_MAX = 1.0, 64
#: The name in a connection's state under which it is counted.
_COUNTED = "counted"


@dataclass(frozen=True, slots=True)
class Share:
    """Something that may have so many connections."""

    #: For people, and to tell it from all others: `machine 3d8d`.
    name: str
    connections_max: int


class Callers:
    """Makes the protocols of connections from machines.

    Args:
        severable: Whether the application may cut them off, as tests have it do.
        network_of: Returns the prefix of the private network that an address is of.
    """

    def __init__(
        self,
        config: Config,
        state: ServerState,
        network_of: Callable[[str], str],
        *,
        severable: bool,
    ) -> None:
        self._config = config
        self._state = state
        self._network_of = network_of
        self._protocol = _SeverableCaller if severable else Caller
        self._told: set[Caller] = set()

    def through_socket(self, machine: Principal) -> asyncio.Protocol:
        """Return what answers a connection through the socket of a machine."""
        shares = [Share(f"machine {machine.machine}", MACHINE_MAX)]
        return self._caller(lambda _: shares, machine=machine)

    def through_network(self) -> asyncio.Protocol:
        """Return what answers a connection from a private network."""
        return self._caller(self._at)

    def _caller(self, shares: Callable[[str], list[Share]], **state: Any) -> Caller:
        return self._protocol(self._config, self._state, state, shares, self._told)

    def _at(self, address: str) -> list[Share]:
        network = self._network_of(address)
        return [Share(address, MACHINE_MAX), Share(f"network {network}", NETWORK_MAX)]


class Caller(HttpProtocol):
    """Speaks to a program in a machine.

    Args:
        shares: Returns what the connection counts for, by the address that it comes from.
        told: Those who are being told that there are too many of them.
    """

    def __init__(
        self,
        config: Config,
        state: ServerState,
        app_state: dict[str, Any],
        shares: Callable[[str], list[Share]],
        told: set[Caller],
    ) -> None:
        super().__init__(config, state, app_state)
        self.timeout_keep_alive = IDLE_S
        self._shares = shares
        self._told = told
        self._sent_away = False
        #: Runs while a head is to come, or has not come whole.
        self._overdue: asyncio.TimerHandle | None = None
        self._head_bytes = 0

    # what asyncio tells

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take it, or say that there are too many."""
        self.transport = transport
        address = (transport.get_extra_info("peername") or ("",))[0]
        shares = self._shares(address)
        full = _first_full(shares, self.connections)
        if full:
            self._send_away(503, f"{full.name} has {full.connections_max} connections already")
            return
        self.app_state = {**self.app_state, _COUNTED: [one.name for one in shares]}
        super().connection_made(transport)
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        """Take what came, unless it is a head that has no end."""
        if self._sent_away:
            return
        if self._overdue:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._overdue and self._head_bytes > HEAD_BYTES_MAX:
            self._send_away(431, f"the head of a request has over {HEAD_BYTES_MAX} bytes")

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._head_came()
        self._told.discard(self)
        super().connection_lost(exc)

    # what the parser tells

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        if not self._overdue:
            self._expect_head()

    def on_headers_complete(self) -> None:
        """Hand it over."""
        self._head_came()
        super().on_headers_complete()

    # how

    def _expect_head(self) -> None:
        self._head_bytes = 0
        said = f"the head of a request did not come within {HEAD_S:g} s"
        self._overdue = self.loop.call_later(HEAD_S, self._send_away, 408, said)

    def _head_came(self) -> None:
        if self._overdue:
            self._overdue.cancel()
            self._overdue = None

    def _send_away(self, status: int, why: str) -> None:
        """Answer with a status, and hang up as soon as that is read, or soon."""
        self._head_came()
        self._sent_away = True
        if len(self._told) >= _TOLD_MAX:
            self.transport.abort()
            return
        self._told.add(self)
        self.transport.write(_answer(status, why))
        # Not `close`: what it has sent and nobody has read would take the answer away from it.
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(_LINGER_S, self.transport.abort)


class _SeverableCaller(Caller, SeverableProtocol):
    """Speaks to a program in a machine of a platform that may be told to misbehave."""


def _first_full(shares: Iterable[Share], connections: Iterable[object]) -> Share | None:
    counted = [name for one in connections for name in _counted(one)]
    return next((one for one in shares if counted.count(one.name) >= one.connections_max), None)


def _counted(connection: object) -> list[str]:
    """Return what a connection counts for, be it one of HTTP or, after that, of a WebSocket."""
    state: dict[str, Any] = getattr(connection, "app_state", {})
    return cast("list[str]", state.get(_COUNTED, []))


def _answer(status: int, why: str) -> bytes:
    body = json.dumps({"error": why}).encode()
    head = (
        f"HTTP/1.1 {status} {_PHRASES[status]}\r\n"
        "content-type: application/json\r\n"
        f"content-length: {len(body)}\r\n"
        "connection: close\r\n\r\n"
    )
    return head.encode() + body


_PHRASES = {
    408: "Request Timeout",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
}
