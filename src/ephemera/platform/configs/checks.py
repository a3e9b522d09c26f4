"""The checks of a machine: of the whole (`config.checks`) and of its services.

Source: the API's documentation of checks, for the fields; the defaults of the intervals are its
own where it names one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ephemera.platform import refusals
from ephemera.platform.configs.fields import (
    dns_name,
    one_of,
    port,
    required,
    seconds,
    text,
    url_path,
    wrong,
)
from ephemera.wire.config import MachineConfig
from ephemera.wire.services import Check, HttpHeader, ServiceCheck

#: Each is a connection every few seconds, for as long as the machine is started.
CHECKS_MAX = 50
INTERVAL_S, INTERVAL_MIN_S, INTERVAL_MAX_S = 15.0, 1.0, 3600.0
TIMEOUT_S, TIMEOUT_MIN_S, TIMEOUT_MAX_S = 10.0, 0.1, 60.0
GRACE_S, GRACE_MAX_S = 0.0, 3600.0

_METHOD = re.compile(r"[A-Za-z]{1,16}")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_OF_A_BODY = ("content-length", "transfer-encoding")


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """A check with everything filled in: what is asked of the machine, and how often."""

    name: str
    port: int
    is_http: bool
    interval_s: float
    timeout_s: float
    #: For this long after a boot it does not count if it fails.
    grace_s: float
    method: str = "GET"
    path: str = "/"
    is_https: bool = False
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    tls_skip_verify: bool = False
    tls_server_name: str = ""


def health_checks(config: MachineConfig) -> list[HealthCheck]:
    """Return the checks of a machine, those of the whole machine first.

    Raises:
        Refusal: one of them is wrong.
    """
    found = [_of_machine(name, one) for name, one in (config.checks or {}).items()]
    of_services = [
        (f"config.services[{number}].checks[{place}]", one, service.internal_port)
        for number, service in enumerate(config.services or ())
        for place, one in enumerate(service.checks or ())
    ]
    for number, (where, one, internal_port) in enumerate(of_services):
        found.append(_of_service(where, one, internal_port, number))
    if len(found) > CHECKS_MAX:
        raise refusals.invalid(f"config.checks: {len(found)} checks are more than {CHECKS_MAX}")
    return _named_once(found)


def _of_machine(name: str, check: Check) -> HealthCheck:
    required("config.checks: a name", name)
    text("config.checks name", name)
    where = f"config.checks.{name}"
    one_of(f"{where}.kind", check.kind, ("informational", "readiness"))
    required(f"{where}.port", check.port)
    return _health_check(where, name, check, check.port or 0)


def _of_service(
    where: str, check: ServiceCheck, internal_port: int | None, number: int
) -> HealthCheck:
    """Name the check of a service as Fly does: `servicecheck-00-http-8080`."""
    target = check.port if check.port is not None else internal_port or 0
    name = f"servicecheck-{number:02d}-{check.type}-{target}"
    return _health_check(where, name, check, target)


def _health_check(where: str, name: str, check: ServiceCheck, target: int) -> HealthCheck:
    required(f"{where}.type", check.type)
    one_of(f"{where}.type", check.type, ("tcp", "http"))
    port(f"{where}.port", target)
    one_of(f"{where}.protocol", check.protocol, ("http", "https"))
    if check.method and not _METHOD.fullmatch(check.method):
        raise wrong(f"{where}.method", check.method, "is not a method of HTTP")
    url_path(f"{where}.path", check.path)
    dns_name(f"{where}.tls_server_name", check.tls_server_name)
    return HealthCheck(
        name=name,
        port=target,
        is_http=check.type == "http",
        **_times(where, check),
        method=(check.method or "GET").upper(),
        path=check.path or "/",
        is_https=check.protocol == "https",
        headers=_headers(f"{where}.headers", check.headers or []),
        tls_skip_verify=bool(check.tls_skip_verify),
        tls_server_name=check.tls_server_name or "",
    )


def _times(where: str, check: ServiceCheck) -> Mapping[str, float]:
    return {
        "interval_s": seconds(
            f"{where}.interval",
            check.interval,
            INTERVAL_S,
            least=INTERVAL_MIN_S,
            most=INTERVAL_MAX_S,
        ),
        "timeout_s": seconds(
            f"{where}.timeout", check.timeout, TIMEOUT_S, least=TIMEOUT_MIN_S, most=TIMEOUT_MAX_S
        ),
        "grace_s": seconds(
            f"{where}.grace_period", check.grace_period, GRACE_S, least=0.0, most=GRACE_MAX_S
        ),
    }


def _headers(where: str, headers: list[HttpHeader]) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    for number, header in enumerate(headers):
        if not _HEADER.fullmatch(header.name):
            raise wrong(f"{where}[{number}].name", header.name, "is not the name of a header")
        if header.name.lower() in _OF_A_BODY:
            raise wrong(f"{where}[{number}].name", header.name, "is for a body; a check has none")
        for value in header.values or ():
            text(f"{where}[{number}].values", value, 8192)
            if not value.isascii():
                raise wrong(f"{where}[{number}].values", value, "is not ASCII")
            found.append((header.name, value))
    return tuple(found)


def _named_once(checks: list[HealthCheck]) -> list[HealthCheck]:
    names = {check.name for check in checks}
    if len(names) < len(checks):
        raise refusals.invalid("config.checks: a name is that of a check of a service too")
    return checks
