"""What a `fly.toml` asks of the proxy of Fly.io, and the platform's does not do.

It changes nothing here, and is no mistake: the same file is for Fly.io. But who wrote it is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ephemera.deploy.flytoml import FlyToml
from ephemera.deploy.flytoml.services import OuterPort, Service

#: By the section of the file, and by the field of `http_options`: what is so instead.
_SECTIONS = {
    "statics": "the app answers for these paths itself",
    "metrics": "nobody collects them",
}
_OPTIONS = {
    "h2_backend": "apps are asked by HTTP/1.1",
    "replay_cache": "each request is asked for anew where it goes",
}


def complaints(toml: FlyToml) -> list[str]:
    """Return a line for each key that the platform does not honour, which says what holds."""
    found: dict[str, None] = {}  # in their order, each once
    for group in toml.groups():
        found |= dict.fromkeys(_of_services(toml.services_of(group)))
    for section, instead in _SECTIONS.items():
        if getattr(toml, section):
            found[f"[[{section}]] is not done by this platform: {instead}"] = None
    return list(found)


def _of_services(services: Iterable[Service]) -> Iterator[str]:
    for service in services:
        name = f"of internal_port {service.internal_port}"
        if service.protocol == "udp":
            yield f"protocol = 'udp' {name} is not served by this platform: nothing is passed on"
            continue
        for port in service.ports:
            yield from _of_port(port, name)


def _of_port(port: OuterPort, name: str) -> Iterator[str]:
    if "pg_tls" in (port.handlers or ()):
        yield f"the handler pg_tls {name} is not served by this platform: nothing is passed on"
    for option, instead in _OPTIONS.items():
        if (port.http_options or {}).get(option):
            yield f"http_options.{option} {name} is not done by this platform: {instead}"
    if port.tls_options:
        yield (
            f"tls_options {name} is not done by this platform: TLS 1.2 and 1.3 are spoken, with"
            " HTTP/2 and HTTP/1.1 for requests"
        )
