"""The numbers and private networks of organisations and apps, worked out from their names.

A private network has addresses like Fly's: `fdaa:`, 32 bits that are the network's, and below
them what belongs to it. Nothing of this is stored: the same names give the same numbers, on
every platform and after every restart.
"""

from __future__ import annotations

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


def numeric_id(identifier: str) -> int:
    """Return the number that stands for an app or an organisation: never 0, always the same."""
    return _number(identifier, _NUMERIC_ID_BITS) or 1


def cidr(org_slug: str, network: str) -> IPv6Network:
    """Return the addresses of a private network.

    Args:
        network: Its name within the organisation; empty for the default one.
    """
    number = _number(f"{org_slug}/{network or DEFAULT_NETWORK}", _NETWORK_BITS)
    return IPv6Network((_PREFIX | number << 80, 48))


def private_address(app: AppRecord, org_slug: str, network: str) -> IPv6Address:
    """Return the address by which an app is reached within a private network."""
    base = int(cidr(org_slug, network).network_address)
    return IPv6Address(base | _PROXY | _number(app.id, _APP_BITS))


def _number(text: str, bits: int) -> int:
    return int.from_bytes(sha256(text.encode()).digest()[:8]) >> (64 - bits)
