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
    if client.link.place.fly:
        named = (one.hostname for one in client.certificates.list(app) if one.configured)
        return [f"https://{host}" for host in (*named, f"{app}.fly.dev")]
    return [_of_app(app, url) for url in _proxies(client) if url]


def _proxies(client: Client) -> tuple[str, ...]:
    """Return the addresses of the proxy of the platform that a client goes to."""
    endpoint = read_endpoint(home())
    if endpoint is None or endpoint.url != client.locate():
        return ()
    return endpoint.proxy_url, endpoint.proxy_tls_url


def _of_app(app: str, proxy: str) -> str:
    """Return the URL of an app at a proxy that tells apps apart by their host names."""
    place = urlsplit(proxy)
    return f"{place.scheme}://{app}.localhost:{place.port}"
