"""Where an app is reached from outside."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ephemera.errors import NotFound

if TYPE_CHECKING:
    from ephemera.client import Client
    from ephemera.wire.models import Machine
    from ephemera.wire.own import AppAddresses, AppPort


@dataclass(frozen=True, slots=True)
class Reached:
    """Where an app is reached."""

    #: The best first.
    urls: Sequence[str] = ()
    #: What is not HTTP, on a platform of ours.
    ports: Sequence[AppPort] = ()


def urls(client: Client, app: str, machines: Iterable[Machine]) -> Sequence[str]:
    """Return the URLs of an app, the best first; none where it serves nothing to the outside."""
    return reached(client, app, machines).urls


def reached(client: Client, app: str, machines: Iterable[Machine]) -> Reached:
    """Return where an app is reached; nowhere if it serves nothing to the outside.

    On Fly.io the app's own host names come first, where they have certificates. On a platform it
    is HTTP, since browsers do not know the authority that vouches for names of this computer.
    """
    if not any(one.config and one.config.services for one in machines):
        return Reached()
    named = [one.hostname for one in client.certificates.list(app) if one.configured]
    if client.link.place.fly:
        return Reached([f"https://{host}" for host in (*named, f"{app}.fly.dev")])
    found = _addresses(app)
    if found is None:
        return Reached()
    served = sorted(found.urls, key=lambda url: url.startswith("https:"))
    return Reached([*served, *_named(served, named)], found.ports)


def _addresses(app: str) -> AppAddresses | None:
    """Return where a platform serves an app; None where it is no platform of ours."""
    from ephemera.client.own.addresses import OwnAddresses

    with OwnAddresses() as own:
        try:
            return own.of(app)
        except NotFound:
            return None


def _named(served: Iterable[str], hosts: Iterable[str]) -> list[str]:
    """Return the URLs of an app's own host names: where the platform serves TLS."""
    tls = [urlsplit(url) for url in served if url.startswith("https:")]
    own = {place.hostname for place in tls}
    return [
        place._replace(netloc=f"{host}:{place.port}" if place.port else host).geturl()
        for place in tls
        for host in hosts
        if host not in own
    ]
