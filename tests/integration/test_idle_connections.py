"""Clients keep a connection for their next request: the server does not hang up before they do."""

from __future__ import annotations

import time

import httpx2

from ephemera.testing.machines_api import AppUnderTest, answered
from ephemera.testing.serving import Server

DRIVER = "mock"
#: After how long without a request most clients close a connection by themselves.
_CLIENTS_KEEP_S = httpx2.Limits().keepalive_expiry or 5.0


def test_a_connection_is_still_there_when_clients_would_close_it(
    server: Server, app: AppUnderTest
) -> None:
    path, url = f"/v1/apps/{app.name}", server.endpoint.url
    inside = server.home / "api" / app.running() / "api"
    with (
        _patient(url, headers=server.headers) as outer,
        _patient("http://api", socket=str(inside)) as inner,
    ):
        before = [_connection(answered(client.get(path))) for client in (outer, inner)]
        time.sleep(_CLIENTS_KEEP_S + 1)
        assert [_connection(answered(client.get(path))) for client in (outer, inner)] == before


def _patient(
    url: str, *, socket: str | None = None, headers: dict[str, str] | None = None
) -> httpx2.Client:
    """Return a client that never closes its connection by itself."""
    transport = httpx2.HTTPTransport(uds=socket, limits=httpx2.Limits(keepalive_expiry=None))
    return httpx2.Client(transport=transport, base_url=url, headers=headers, timeout=30)


def _connection(answer: httpx2.Response) -> object:
    """Return what tells the connection of an answer from others."""
    stream = answer.extensions["network_stream"]
    found: object = stream.get_extra_info("socket")
    return found
