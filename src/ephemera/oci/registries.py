"""Connections to registries, one set of them for each registry."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Mapping
from typing import NamedTuple

import httpx2

from ephemera import __version__
from ephemera.errors import ImageUnavailable
from ephemera.oci import credentials, trust
from ephemera.oci.entrance import Entrance
from ephemera.oci.patience import Patience, RegistryAway
from ephemera.oci.reference import Reference
from ephemera.oci.registry import Repository

#: A line that is dead is noticed in time; one that is slow is not taken for dead.
_TIMEOUT = httpx2.Timeout(connect=10.0, read=30.0, write=30.0, pool=None)
#: Layers of several pulls at a time; idle connections are closed before a registry does it.
_LIMITS = httpx2.Limits(max_connections=None, keepalive_expiry=4.0)
#: Where Docker Hub's images really are.
_ADDRESSES = {"docker.io": "registry-1.docker.io"}


class Way(NamedTuple):
    """How a repository is reached: connections, the registry's address, and who we are to it."""

    http: httpx2.AsyncClient
    base: httpx2.URL
    entrance: Entrance


class Registries:
    """Makes the connections, and keeps them until it is closed.

    Args:
        environ: Where settings and logins are looked for; this process's environment by default.
    """

    def __init__(self, patience: Patience, environ: Mapping[str, str] = os.environ) -> None:
        self._patience = patience
        self._environ = environ
        self._clients: dict[str, httpx2.AsyncClient] = {}

    async def repository(
        self,
        reference: Reference,
        patience: Patience | None = None,
        login: credentials.Credentials | None = None,
    ) -> Repository:
        """Return the repository that a reference is about.

        Args:
            patience: Other than usual.
            login: Other than what is written down for the registry.

        Raises:
            ImageUnavailable: certificates, logins or settings cannot be used.
            RegistryAway: nobody listens there.
        """
        known = login or await credentials.find(reference.host, self._environ)
        way = await self.way(reference, known)
        return Repository(way.http, way.base, reference, way.entrance, patience or self._patience)

    async def way(
        self, reference: Reference, login: credentials.Credentials, actions: str = "pull"
    ) -> Way:
        """Return how the repository that a reference is about is reached.

        Raises:
            ImageUnavailable: certificates or settings cannot be used.
            RegistryAway: nobody listens there.
        """
        host = _ADDRESSES.get(reference.host, reference.host)
        plain = await self._is_plain(host)
        http = await self._client(host, plain=plain)
        entrance = Entrance(http, reference.host, reference.repository, login, actions)
        return Way(http, httpx2.URL(f"{'http' if plain else 'https'}://{host}"), entrance)

    async def close(self) -> None:
        """Close all connections. Repeating is safe."""
        clients, self._clients = list(self._clients.values()), {}
        for client in clients:
            await client.aclose()

    async def _is_plain(self, host: str) -> bool:
        if not trust.may_be_plain(host, self._environ):
            return False
        try:
            return not await trust.speaks_tls(host)
        except OSError as error:
            why = error.strerror or str(error)
            raise RegistryAway(f"the registry {host} cannot be reached: {why}") from error

    async def _client(self, host: str, *, plain: bool) -> httpx2.AsyncClient:
        """Return the connections to a registry; those in TLS are made with its authorities."""
        key = f"{host} plain" if plain else host
        if key not in self._clients:
            context = (
                trust.TRUSTS_NOBODY if plain else await asyncio.to_thread(trust.authorities, host)
            )
            made = _connections(host, context)
            # Another pull may have been faster.
            if self._clients.setdefault(key, made) is not made:
                await made.aclose()
        return self._clients[key]


def _connections(host: str, context: ssl.SSLContext) -> httpx2.AsyncClient:
    try:
        return httpx2.AsyncClient(
            verify=context,
            headers={"user-agent": f"ephemera/{__version__}"},
            timeout=_TIMEOUT,
            limits=_LIMITS,
            # No proxy stands between this computer and itself.
            trust_env=not trust.is_loopback(host),
        )
    except (ImportError, OSError, ValueError, httpx2.InvalidURL) as error:
        raise ImageUnavailable(
            f"the settings for proxies cannot be used: {error}",
            hint="look at HTTPS_PROXY, HTTP_PROXY and ALL_PROXY",
        ) from error
