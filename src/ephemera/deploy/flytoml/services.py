"""The sections of a `fly.toml` that say what an app offers, and how it is seen to be well."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ephemera.deploy.flytoml.sections import OfGroups, Section
from ephemera.deploy.flytoml.values import Autostop, CheckTime, Environment, Listed, Port, Raw

Handler = Literal["http", "tls", "tcp", "pg_tls", "proxy_proto", "edge_http"]
Limit = Annotated[int, Field(ge=0)]


class Concurrency(Section):
    """How much a machine is given to do at a time."""

    type: Literal["connections", "requests"] | None = None
    soft_limit: Limit | None = None
    hard_limit: Limit | None = None


class ServiceCheck(Section):
    """Whether a service answers. Times are in seconds here."""

    interval: CheckTime | None = None
    timeout: CheckTime | None = None
    grace_period: CheckTime | None = None


class HttpCheck(ServiceCheck):
    """The same, by a request."""

    method: str | None = None
    path: str | None = None
    protocol: Literal["http", "https"] | None = None
    tls_skip_verify: bool | None = None
    tls_server_name: str | None = None
    headers: Environment | None = None


class TopCheck(HttpCheck, OfGroups):
    """`[checks.NAME]`: a check of the machine as a whole."""

    type: Literal["http", "tcp"]
    #: That of the `http_service` where it is left out.
    port: Port | None = None


class OuterPort(Section):
    """`[[services.ports]]`: where the proxy takes connections for a service."""

    port: Port | None = None
    start_port: Port | None = None
    end_port: Port | None = None
    handlers: list[Handler] | None = None
    force_https: bool | None = None
    http_options: Raw | None = None
    tls_options: Raw | None = None
    proxy_proto_options: Raw | None = None


class AnyService(OfGroups):
    """What both kinds of services have in common."""

    internal_port: Port
    auto_stop_machines: Autostop | None = None
    auto_start_machines: bool | None = None
    min_machines_running: Limit | None = None
    concurrency: Concurrency | None = None
    tcp_checks: Annotated[tuple[ServiceCheck, ...], Listed] = ()


class Service(AnyService):
    """`[[services]]`: ports of the app, of any protocol."""

    protocol: Literal["tcp", "udp"] | None = None
    ports: Annotated[tuple[OuterPort, ...], Listed] = ()
    http_checks: Annotated[tuple[HttpCheck, ...], Listed] = ()


class HttpService(AnyService):
    """`[http_service]`: a web application, on ports 80 and 443."""

    force_https: bool = False
    http_options: Raw | None = None
    tls_options: Raw | None = None
    checks: Annotated[tuple[HttpCheck, ...], Listed] = ()

    def as_service(self) -> Service:
        """Return it as the service that it is short for."""
        plain = OuterPort(
            port=80,
            handlers=["http"],
            force_https=self.force_https or None,
            http_options=self.http_options,
        )
        secure = OuterPort(
            port=443,
            handlers=["tls", "http"],
            http_options=self.http_options,
            tls_options=self.tls_options,
        )
        shared = {name: getattr(self, name) for name in AnyService.model_fields}
        return Service(protocol="tcp", ports=(plain, secure), http_checks=self.checks, **shared)
