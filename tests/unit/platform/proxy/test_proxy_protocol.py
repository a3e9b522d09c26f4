"""The PROXY protocol, byte for byte."""

from __future__ import annotations

from ipaddress import IPv6Address

import pytest

from ephemera.platform.proxy.proxy_protocol import header

V4, V6 = ("192.0.2.1", 40000), ("2001:db8::1", 40000)
HERE4, HERE6 = ("127.0.0.1", 5432), ("::1", 5432)


@pytest.mark.parametrize(
    ("client", "server", "said"),
    [
        (V4, HERE4, b"PROXY TCP4 192.0.2.1 127.0.0.1 40000 5432\r\n"),
        (V6, HERE6, b"PROXY TCP6 2001:db8::1 ::1 40000 5432\r\n"),
        # Python 3.13 and later write the last two groups as an address of version 4.
        (V4, HERE6, f"PROXY TCP6 {IPv6Address('::ffff:192.0.2.1')} ::1 40000 5432\r\n".encode()),
    ],
)
def test_version_1_is_a_line_of_text(
    client: tuple[str, int], server: tuple[str, int], said: bytes
) -> None:
    assert header("v1", client, server) == said


def test_version_2_is_binary() -> None:
    signature = bytes.fromhex("0d0a0d0a000d0a515549540a")
    ports = bytes.fromhex("9c401538")
    v4 = bytes.fromhex("2111000cc00002017f000001") + ports
    assert header("v2", V4, HERE4) == signature + v4
    v6 = header("v2", V6, HERE6)
    assert v6[:16] == signature + bytes.fromhex("21210024")
    assert len(v6) == 16 + 36
    assert v6.endswith(ports)
