"""The endpoints of the Machines API, each defined once.

A module per group, a function per endpoint, each returning a `Call`: what to send and how to
read the answer. Lists that come page by page are a `Stream` besides. `scripts/generate_client.py`
makes both clients from them, so the signatures and docstrings here are what users see. A
trailing underscore keeps a function from hiding a builtin and is dropped in the clients.
"""

from __future__ import annotations

from ephemera.client.calls import (
    apps,
    certificates,
    creation,
    ips,
    leases,
    lifecycle,
    logs,
    machines,
    metadata,
    orgs,
    platform,
    secret_keys,
    secrets,
    tokens,
    volumes,
)

__all__ = [
    "apps",
    "certificates",
    "creation",
    "ips",
    "leases",
    "lifecycle",
    "logs",
    "machines",
    "metadata",
    "orgs",
    "platform",
    "secret_keys",
    "secrets",
    "tokens",
    "volumes",
]
