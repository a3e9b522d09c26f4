"""The numbers and private networks of organisations and apps, worked out from their names.

A private network has addresses like Fly's: `fdaa:`, 32 bits that are the network's, and below
them what belongs to it. Nothing of this is stored: the same names give the same numbers, on
every platform and after every restart.

An app that names no network has one of its own. Apps of an organisation that name the same one
share it.

```
fdaa:NNNN:NNNN:0000:0000:0000:0000:0001   the gateway of network NNNN:NNNN
fdaa:NNNN:NNNN:0000:0001:AAAA:AAAA:AAAA   the private address of an app, at which a proxy is
fdaa:NNNN:NNNN:0a7b:MMMM:MMMM:MMMM:MMMM   a machine
```
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from ipaddress import IPv6Address, IPv6Network

from ephemera.platform.records import AppRecord

#: What the document calls the network of an app that names none.
DEFAULT_NETWORK = "default"

#: Fly's own client reads a numeric id into 32 bits with a sign.
_NUMERIC_ID_BITS = 31
_PREFIX = 0xFDAA << 112
_NETWORK_BITS = 32
#: Where private addresses of proxies are, as in `fdaa:1:2:0:1::3` on Fly.
_PROXY = 0x0000_0001 << 48
_APP_BITS = 48
#: Where machines are, as in `fdaa:1:2:a7b:…` on Fly.
_MACHINES = 0x0A7B << 64
_MACHINE_BITS = 64


def numeric_id(identifier: str) -> int:
    """Return the number that stands for an app or an organisation: never 0, always the same."""
    return _number(identifier, _NUMERIC_ID_BITS) or 1


def cidr(org_slug: str, network: str) -> IPv6Network:
    """Return the addresses of a private network.

    Args:
        network: Its name within the organisation; empty for the one called `default`.
    """
    return _network(f"{org_slug}/{network or DEFAULT_NETWORK}")


@lru_cache(maxsize=4096)
def of_app(app: AppRecord) -> IPv6Network:
    """Return the addresses of the private network that an app's machines are in."""
    if app.network:
        return cidr(app.org_slug, app.network)
    return _network(f"{app.org_slug}/app/{app.id}")  # no network is called so: it has a slash


@lru_cache(maxsize=4096)
def prefix(app: AppRecord) -> str:
    """Return the private network of an app as its prefix, such as `fdaa:1:2::/48`."""
    return str(of_app(app))


@lru_cache(maxsize=4096)
def machine_address(app: AppRecord, machine_id: str) -> str:
    """Return the address of a machine in the private network of its app."""
    return str(_within(of_app(app), _MACHINES | _number(machine_id, _MACHINE_BITS)))


def private_address(app: AppRecord, network: IPv6Network) -> IPv6Address:
    """Return the address by which an app is reached within a private network."""
    return _within(network, _PROXY | _number(app.id, _APP_BITS))


def _network(text: str) -> IPv6Network:
    number = _number(text, _NETWORK_BITS) or 1  # 0 is the platform's own
    return IPv6Network((_PREFIX | number << 80, 48))


def _within(network: IPv6Network, number: int) -> IPv6Address:
    return IPv6Address(int(network.network_address) | number)


def _number(text: str, bits: int) -> int:
    return int.from_bytes(sha256(text.encode()).digest()[:8]) >> (64 - bits)
