"""The PROXY protocol: who connects, said to a machine before the first byte.

Source: https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt
"""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address, ip_address

_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
_VERSION_AND_PROXY = 0x21
_TCP4, _TCP6 = 0x11, 0x21

Address = tuple[str, int]


def header(version: str, client: Address, server: Address) -> bytes:
    """Return what a machine is sent first.

    Args:
        version: `v1`, which is text, or `v2`, which is not.
        client: Who connects, address and port.
        server: What was connected to.
    """
    source, target = _alike(ip_address(client[0]), ip_address(server[0]))
    is_v4 = source.version == 4
    if version == "v1":
        family = "TCP4" if is_v4 else "TCP6"
        return f"PROXY {family} {source} {target} {client[1]} {server[1]}\r\n".encode()
    ports = struct.pack("!HH", client[1], server[1])
    body = source.packed + target.packed + ports
    kind = _TCP4 if is_v4 else _TCP6
    return _SIGNATURE + struct.pack("!BBH", _VERSION_AND_PROXY, kind, len(body)) + body


def _alike(
    one: IPv4Address | IPv6Address, other: IPv4Address | IPv6Address
) -> tuple[IPv4Address | IPv6Address, IPv4Address | IPv6Address]:
    """Return two addresses of one family, as version 1 must have them."""
    if one.version == other.version:
        return one, other
    return _as_v6(one), _as_v6(other)


def _as_v6(address: IPv4Address | IPv6Address) -> IPv6Address:
    if isinstance(address, IPv6Address):
        return address
    return IPv6Address(f"::ffff:{address}")
