"""What a machine offers: services and their ports, statics, metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ephemera.platform import refusals
from ephemera.platform.configs.fields import (
    at_most,
    one_of,
    port,
    required,
    text,
    url_path,
    whole,
    wrong,
)
from ephemera.wire.config import MachineConfig
from ephemera.wire.services import Concurrency, HttpOptions, Port, Service, Static, TlsOptions

#: More than any machine has: each is looked at whenever a request is to be routed.
SERVICES_MAX, PORTS_MAX, STATICS_MAX = 100, 100, 100

PROTOCOLS = ("tcp", "udp")
HANDLERS = ("http", "tls", "tcp", "pg_tls", "proxy_proto", "edge_http")
AUTOSTOP = ("off", "stop", "suspend")
#: What the real API answers for these words, so that its older clients can read them.
_AUTOSTOP_ANSWERED = {"off": False, "stop": True}


def check(config: MachineConfig) -> None:
    """Check everything that the proxy is told."""
    at_most("config.services", config.services, SERVICES_MAX)
    for number, service in enumerate(config.services or ()):
        _check_service(f"config.services[{number}]", service)
    _check_statics(config.statics or ())
    if config.metrics:
        port("config.metrics.port", config.metrics.port)
        url_path("config.metrics.path", config.metrics.path)


def answered(services: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return services as the real API answers them: `autostop` is true, false or `suspend`."""
    return [_answered(service) for service in services]


def _answered(service: dict[str, Any]) -> dict[str, Any]:
    autostop = service.get("autostop")
    if isinstance(autostop, str) and autostop in _AUTOSTOP_ANSWERED:
        return service | {"autostop": _AUTOSTOP_ANSWERED[autostop]}
    return service


def _check_service(where: str, service: Service) -> None:
    required(f"{where}.internal_port", service.internal_port)
    port(f"{where}.internal_port", service.internal_port)
    one_of(f"{where}.protocol", service.protocol, PROTOCOLS)
    if isinstance(service.autostop, str):
        one_of(f"{where}.autostop", service.autostop, AUTOSTOP)
    whole(f"{where}.min_machines_running", service.min_machines_running, 0)
    text(f"{where}.force_instance_key", service.force_instance_key)
    text(f"{where}.force_instance_description", service.force_instance_description)
    if service.concurrency:
        _check_concurrency(f"{where}.concurrency", service.concurrency)
    at_most(f"{where}.ports", service.ports, PORTS_MAX)
    for number, one in enumerate(service.ports or ()):
        _check_port(f"{where}.ports[{number}]", one)


def _check_concurrency(where: str, concurrency: Concurrency) -> None:
    one_of(f"{where}.type", concurrency.type, ("connections", "requests"))
    whole(f"{where}.soft_limit", concurrency.soft_limit, 0)
    whole(f"{where}.hard_limit", concurrency.hard_limit, 0)
    soft, hard = concurrency.soft_limit, concurrency.hard_limit
    if soft and hard and soft > hard:
        raise wrong(f"{where}.soft_limit", soft, f"is above the hard_limit, {hard}")


def _check_port(where: str, one: Port) -> None:
    for field in ("port", "start_port", "end_port"):
        port(f"{where}.{field}", getattr(one, field))
    if one.port is not None and (one.start_port or one.end_port):
        raise refusals.invalid(f"{where} has a port and a range of ports; give one of the two")
    if one.port is None and (one.start_port is None or one.end_port is None):
        raise refusals.invalid(f"{where} needs a port, or a start_port and an end_port")
    if one.start_port and one.end_port and one.start_port > one.end_port:
        raise wrong(f"{where}.start_port", one.start_port, f"is above the end_port, {one.end_port}")
    for number, handler in enumerate(one.handlers or ()):
        one_of(f"{where}.handlers[{number}]", handler, HANDLERS)
    if one.http_options:
        _check_http(f"{where}.http_options", one.http_options)
    if one.tls_options:
        _check_tls(f"{where}.tls_options", one.tls_options)
    if one.proxy_proto_options:
        version = one.proxy_proto_options.version
        one_of(f"{where}.proxy_proto_options.version", version, ("v1", "v2"))


def _check_http(where: str, options: HttpOptions) -> None:
    whole(f"{where}.idle_timeout", options.idle_timeout, 0)
    whole(f"{where}.headers_read_timeout", options.headers_read_timeout, 0)
    for number, cache in enumerate(options.replay_cache or ()):
        one_of(f"{where}.replay_cache[{number}].type", cache.type, ("cookie", "header"))
        text(f"{where}.replay_cache[{number}].name", cache.name)
        url_path(f"{where}.replay_cache[{number}].path_prefix", cache.path_prefix)
        whole(f"{where}.replay_cache[{number}].ttl_seconds", cache.ttl_seconds, 0)
    for name in (options.response and options.response.headers) or ():
        text(f"{where}.response.headers", name)


def _check_tls(where: str, options: TlsOptions) -> None:
    for field in ("alpn", "versions"):
        for number, word in enumerate(getattr(options, field) or ()):
            text(f"{where}.{field}[{number}]", word)


def _check_statics(statics: Sequence[Static]) -> None:
    at_most("config.statics", statics, STATICS_MAX)
    for number, static in enumerate(statics):
        where = f"config.statics[{number}]"
        required(f"{where}.guest_path", static.guest_path)
        text(f"{where}.guest_path", static.guest_path, 4095)
        required(f"{where}.url_prefix", static.url_prefix)
        url_path(f"{where}.url_prefix", static.url_prefix)
        text(f"{where}.tigris_bucket", static.tigris_bucket)
        text(f"{where}.index_document", static.index_document)
