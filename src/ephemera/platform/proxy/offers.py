"""What a machine offers: its services and the external ports they are reached at, read once."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from ephemera.platform import configs
from ephemera.platform.records import MachineRecord
from ephemera.wire.services import HttpOptions, Port, Service

#: Source: the API's documentation of `concurrency`.
SOFT_LIMIT = 20
#: The handlers by which a port speaks HTTP; others pass bytes.
_HTTP = frozenset({"http", "edge_http"})
_TLS = frozenset({"tls", "pg_tls"})


@dataclass(frozen=True, slots=True)
class Opening:
    """External ports at which a service is reached, and what is done there."""

    first: int
    last: int
    handlers: frozenset[str]
    force_https: bool = False
    http_options: HttpOptions = field(default_factory=HttpOptions)
    #: `v1` or `v2` where the machine is told who connects, else empty.
    proxy_protocol: str = ""

    @property
    def is_http(self) -> bool:
        """Whether requests of HTTP are taken."""
        return bool(self.handlers & _HTTP)

    @property
    def is_tls(self) -> bool:
        """Whether TLS ends at the proxy."""
        return bool(self.handlers & _TLS)


@dataclass(frozen=True, slots=True)
class Offer:
    """A service of a machine."""

    internal_port: int
    protocol: str
    openings: tuple[Opening, ...]
    #: Whether load is counted by connections; else by requests.
    by_connection: bool
    soft_limit: int
    #: Infinite where there is none.
    hard_limit: float
    autostart: bool
    #: `off`, `stop` or `suspend`.
    autostop: str
    min_machines_running: int
    #: The names of the checks that have to pass before it gets requests.
    checks: tuple[str, ...] = ()

    def http(self, port: int, *, tls: bool) -> Opening | None:
        """Return how it takes requests of HTTP at an external port; None where it does not."""
        for one in self.openings:
            if one.is_http and one.is_tls is tls and one.first <= port <= one.last:
                return one
        return None


def offers(record: MachineRecord) -> tuple[Offer, ...]:
    """Return what a machine offers; nothing for a machine without services."""
    if not record.config.get("services"):
        return ()
    config = configs.stored(record.config)
    ready = tuple(name for name, one in (config.checks or {}).items() if one.kind == "readiness")
    found: list[Offer] = []
    number = 0
    for service in config.services or ():
        names = list(ready)
        for check in service.checks or ():
            port = check.port if check.port is not None else service.internal_port
            names.append(f"servicecheck-{number:02d}-{check.type}-{port}")
            number += 1
        found.append(_offer(service, tuple(names)))
    return tuple(found)


def _offer(service: Service, checks: tuple[str, ...]) -> Offer:
    limits = service.concurrency
    soft = (limits and limits.soft_limit) or SOFT_LIMIT
    hard = (limits and limits.hard_limit) or math.inf
    return Offer(
        internal_port=service.internal_port or 0,
        protocol=service.protocol or "tcp",
        openings=tuple(_opening(port) for port in service.ports or ()),
        by_connection=limits is None or limits.type != "requests",
        soft_limit=int(min(soft, hard)),
        hard_limit=hard,
        autostart=bool(service.autostart),
        autostop=_autostop(service.autostop),
        min_machines_running=service.min_machines_running or 0,
        checks=checks,
    )


def _opening(port: Port) -> Opening:
    options = port.proxy_proto_options
    handlers = frozenset(port.handlers or ())
    spoken = (options and options.version) or "v1"
    return Opening(
        first=port.port or port.start_port or 0,
        last=port.port or port.end_port or 0,
        handlers=handlers,
        force_https=bool(port.force_https),
        http_options=port.http_options or HttpOptions(),
        proxy_protocol=spoken if "proxy_proto" in handlers else "",
    )


def _autostop(given: bool | str | None) -> str:
    if isinstance(given, str):
        return given or "off"
    return "stop" if given else "off"
