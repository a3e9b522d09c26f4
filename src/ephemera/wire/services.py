"""What a machine offers: services with their ports and checks, metrics and statics."""

from __future__ import annotations

from typing import Any

from ephemera.wire.resource import Duration, Wire


class HttpHeader(Wire):
    """A header of the request that a check sends."""

    name: str = ""
    values: list[str] | None = None


class ServiceCheck(Wire):
    """How it is found out whether a service answers."""

    #: `tcp` or `http`.
    type: str | None = None
    #: Of a service, where it is left out: the service's own.
    port: int | None = None
    interval: Duration | None = None
    timeout: Duration | None = None
    #: How long after a boot it does not count if it fails.
    grace_period: Duration | None = None
    method: str | None = None
    path: str | None = None
    #: `http` or `https`.
    protocol: str | None = None
    headers: list[HttpHeader] | None = None
    tls_skip_verify: bool | None = None
    tls_server_name: str | None = None


class Check(ServiceCheck):
    """A check of the machine as a whole."""

    #: `informational`, the default, or `readiness`.
    kind: str | None = None


class ReplayCache(Wire):
    """How the proxy remembers where requests were replayed to."""

    #: `cookie` or `header`.
    type: str | None = None
    name: str | None = None
    path_prefix: str | None = None
    ttl_seconds: int | None = None
    allow_bypass: bool | None = None


class HttpResponseOptions(Wire):
    """What the proxy does to the headers of answers."""

    #: A text, several, or false to take the header away.
    headers: dict[str, Any] | None = None
    pristine: bool | None = None


class HttpOptions(Wire):
    """What the proxy does with HTTP."""

    compress: bool | None = None
    h2_backend: bool | None = None
    headers_read_timeout: int | None = None
    idle_timeout: int | None = None
    replay_cache: list[ReplayCache] | None = None
    response: HttpResponseOptions | None = None


class TlsOptions(Wire):
    """What the proxy does with TLS."""

    alpn: list[str] | None = None
    default_self_signed: bool | None = None
    versions: list[str] | None = None


class ProxyProtoOptions(Wire):
    """Which PROXY protocol the proxy speaks to the machine."""

    version: str | None = None


class Port(Wire):
    """A port, or a range of them, on which the proxy takes connections for a service."""

    port: int | None = None
    start_port: int | None = None
    end_port: int | None = None
    handlers: list[str] | None = None
    force_https: bool | None = None
    http_options: HttpOptions | None = None
    tls_options: TlsOptions | None = None
    proxy_proto_options: ProxyProtoOptions | None = None


class Concurrency(Wire):
    """How much a machine is given to do at a time."""

    #: `connections` or `requests`.
    type: str | None = None
    soft_limit: int | None = None
    hard_limit: int | None = None


class Service(Wire):
    """Something that a machine offers through the proxy."""

    protocol: str | None = None
    internal_port: int | None = None
    ports: list[Port] | None = None
    concurrency: Concurrency | None = None
    autostart: bool | None = None
    #: `off`, `stop` or `suspend`; answered as false, true and `suspend`.
    autostop: bool | str | None = None
    min_machines_running: int | None = None
    checks: list[ServiceCheck] | None = None
    force_instance_key: str | None = None
    force_instance_description: str | None = None


class Metrics(Wire):
    """Where the machine's own metrics are read."""

    port: int | None = None
    path: str | None = None
    https: bool | None = None


class Static(Wire):
    """Files that the proxy serves by itself."""

    guest_path: str
    url_prefix: str
    tigris_bucket: str | None = None
    index_document: str | None = None
