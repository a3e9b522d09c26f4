"""From the checks of a `fly.toml` to those of machines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ephemera.deploy.flytoml.services import HttpCheck, Service, ServiceCheck
from ephemera.wire import services
from ephemera.wire.durations import format_duration

if TYPE_CHECKING:
    from ephemera.deploy.flytoml.model import FlyToml

_TIMES = ("interval", "timeout", "grace_period")


def service_checks(service: Service) -> list[services.ServiceCheck]:
    """Return the checks of a service, of both kinds."""
    by_tcp = [services.ServiceCheck(type="tcp", **_shared(check)) for check in service.tcp_checks]
    by_http = [
        services.ServiceCheck(type="http", **_shared(check)) for check in service.http_checks
    ]
    return by_tcp + by_http


def top_checks(toml: FlyToml, group: str) -> dict[str, services.Check]:
    """Return the checks of a group's machines, by name."""
    default = toml.http_service.internal_port if toml.http_service else None
    return {
        name: services.Check(type=check.type, port=check.port or default, **_shared(check))
        for name, check in toml.checks.items()
        if group in (check.processes or [toml.default_group()])
    }


def _shared(check: ServiceCheck) -> dict[str, Any]:
    times = {name: getattr(check, name) for name in _TIMES}
    said = {name: format_duration(held) for name, held in times.items() if held is not None}
    return said | _of_requests(check) if isinstance(check, HttpCheck) else said


def _of_requests(check: HttpCheck) -> dict[str, Any]:
    names = ("method", "path", "protocol", "tls_skip_verify", "tls_server_name")
    headers = [
        services.HttpHeader(name=name, values=[value])
        for name, value in (check.headers or {}).items()
    ]
    return {name: getattr(check, name) for name in names} | {"headers": headers or None}
