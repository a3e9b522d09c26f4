"""What the two halves of the proxy agree on: which machine a request goes to.

```
 engine: HTTP of clients and machines          routing: apps, machines, load, starts
   request head ── entrance(host, port ...) ───► Entrance (refused: no such app)
        │ https only? answered here
        └───────── seat(Asked) ────────────────► Seat, once a machine runs (or refused)
   machine does not take the connection ──────► seat(Asked, avoid={machine})
   answer has `fly-replay` ───────────────────► seat(Asked, replay=Replay)
   answered, or the client has gone ──────────► Seat.release()
```

The engine knows bytes and no machines, routing knows machines and no bytes.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ephemera.errors import EphemeraError
from ephemera.wire.services import HttpOptions

#: The external ports that the two listeners of a platform stand for, whatever port they have.
HTTP_PORT, HTTPS_PORT = 80, 443
#: What the engine speaks behind TLS, best first; every context of a `Router` offers it, unless
#: `tls_options.alpn` of the port says otherwise.
ALPN = ("h2", "http/1.1")


class ProxyRefusal(EphemeraError):
    """The proxy does not pass a request on, and answers it itself.

    Attributes:
        status: The status of HTTP that it is answered with.
        code: Fly's code for the reason, for example `PR01`; empty where Fly has none.
        retry_after_s: After how many seconds it may be tried again; None to say nothing of it.
        app_id: The app in whose log it is written; empty to write it in none.
        machine_id: The machine that it is about, if about one.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        hint: str = "",
        code: str = "",
        retry_after_s: int | None = None,
        app_id: str = "",
        machine_id: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.code = code
        self.retry_after_s = retry_after_s
        self.app_id = app_id
        self.machine_id = machine_id


@dataclass(frozen=True, slots=True)
class Replay:
    """Where the app that got a request wants it to go instead: its answer's `fly-replay`.

    Source: https://fly.io/docs/networking/dynamic-request-routing/
    """

    #: The app to go to; empty for the app that asked.
    app: str = ""
    #: A machine that must take it, or that is preferred.
    instance: str = ""
    prefer_instance: str = ""
    #: Regions, best first.
    regions: tuple[str, ...] = ()
    #: Whether any machine will do but the one that asked.
    elsewhere: bool = False
    #: Opaque to us; the next machine gets it in `fly-replay-src`.
    state: str = ""
    #: How long a machine may be looked for; None for as long as without it.
    timeout_s: float | None = None
    #: `force_self` or `prefer_self`: back to the machine that asked, if there is no other.
    fallback: str = ""
    #: Who asked.
    source_app_id: str = ""
    source_machine: str = ""
    source_region: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is known of a request when a machine is looked for."""

    #: What the client calls us: lower case, without the port.
    host: str
    #: As `services[].ports[].port` has it: 80 for the platform's plain listener, 443 for TLS.
    port: int
    tls: bool
    #: The address of the client: a machine reaches apps of its network or organisation only.
    client: str = ""
    #: `Fly-Force-Instance-Id`, `Fly-Prefer-Instance-Id`, `Fly-Force-Region` and
    #: `Fly-Prefer-Region`, as the client sent them, by name in lower case.
    wishes: Mapping[str, str] = field(default_factory=dict)
    replay: Replay | None = None
    #: Machines that did not take the connection when they were tried for this request.
    avoid: frozenset[str] = frozenset()


class Entrance(Protocol):
    """What an app offers at one port, whether it has a machine that runs or not."""

    @property
    def app_id(self) -> str:
        """In whose log it is written what becomes of requests."""
        ...

    @property
    def force_https(self) -> bool:
        """Whether plain requests are sent to the TLS port."""
        ...

    @property
    def per_connection(self) -> bool:
        """Whether a seat is for all requests of a client's connection (type `connections`)."""
        ...

    @property
    def http_options(self) -> HttpOptions:
        """What is done with its requests and answers."""
        ...


class Seat(Protocol):
    """A request's place at a machine, which counts as load until it is released."""

    @property
    def app_id(self) -> str:
        """The app of the machine; another one than the entrance's after a replay."""
        ...

    @property
    def machine_id(self) -> str:
        """Which machine."""
        ...

    @property
    def region(self) -> str:
        """Where the machine is."""
        ...

    @property
    def addresses(self) -> Sequence[tuple[str, int]]:
        """Where its service may listen, (host, port), the likeliest first."""
        ...

    def socket(self, host: str) -> socket.socket | None:
        """Return a fresh socket, not blocking, from which a host of `addresses` is reached.

        None where any socket of this process will do. The IPv4 addresses of machines in private
        networks are reached from inside their router only.
        """
        ...

    @property
    def http_options(self) -> HttpOptions:
        """Of the port of this machine's service."""
        ...

    @property
    def headers(self) -> Sequence[tuple[str, str]]:
        """What the machine is told beside: `fly-replay-failed` and its like."""
        ...

    def holds(self) -> bool:
        """Return whether the machine still is one to send requests to."""
        ...

    def release(self) -> None:
        """Give it back. Repeating is safe."""
        ...


class Router(Protocol):
    """Knows the machines."""

    def entrance(self, host: str, port: int, *, tls: bool, client: str = "") -> Entrance:
        """Return what there is at a name and a port. Starts nothing, and does not wait.

        Args:
            client: Its address; a machine finds the apps only that it may reach.

        Raises:
            ProxyRefusal: there is no such app, or it offers nothing there (404).
        """
        ...

    def seat(self, asked: Asked) -> Coroutine[Any, Any, Seat]:
        """Return a place at a machine; one that is at rest is started and waited for.

        May be cancelled at any time, which is what happens when the client goes away: then no
        seat is held.

        Raises:
            ProxyRefusal: there is no machine for it, or none that could be started.
        """
        ...

    def tls(self) -> ssl.SSLContext:
        """Return what the TLS listener answers with; the certificate is found by the name (SNI).

        Asked for once, at the first connection.
        """
        ...

    def say(self, app_id: str, machine_id: str, region: str, level: str, message: str) -> None:
        """Write a line of the proxy into an app's log.

        The engine does so for each `ProxyRefusal` that has an `app_id`.
        """
        ...
