"""Where an app is reached from outside."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ephemera.home import home, read_endpoint

if TYPE_CHECKING:
    from ephemera.client import Client
    from ephemera.wire.models import Machine


def urls(client: Client, app: str, machines: Iterable[Machine]) -> list[str]:
    """Return the URLs of an app, the best first; none where it serves nothing to the outside.

    On Fly.io the app's own host names come first, where they have certificates. Of a platform on
    another computer it is not known where its proxy is.
    """
    if not any(one.config and one.config.services for one in machines):
        return []
    named = [one.hostname for one in client.certificates.list(app) if one.configured]
    if client.link.place.fly:
        return [f"https://{host}" for host in (*named, f"{app}.fly.dev")]
    plain, tls = _proxies(client)
    own = f"{app}.localhost"
    found = [_at(plain, own)] if plain else []
    return found + [_at(tls, host) for host in dict.fromkeys((own, *named))] * bool(tls)


def _proxies(client: Client) -> tuple[str, str]:
    """Return where the proxy of a client's platform is, without and with TLS; empty for nowhere."""
    endpoint = read_endpoint(home())
    if endpoint is None or endpoint.url != client.locate():
        return "", ""
    return endpoint.proxy_url, endpoint.proxy_tls_url


def _at(proxy: str, host: str) -> str:
    """Return the URL of a host name at a proxy, which tells apps apart by them."""
    place = urlsplit(proxy)
    return f"{place.scheme}://{host}:{place.port}"
