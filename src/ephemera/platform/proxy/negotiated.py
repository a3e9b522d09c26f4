"""Which version of HTTP a client behind TLS speaks: what was agreed on with ALPN."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast


class Negotiated(asyncio.Protocol):
    """Makes way for the protocol that was agreed on.

    Args:
        choose: Returns the protocol for what ALPN agreed on; None where it agreed on nothing.
    """

    def __init__(self, choose: Callable[[str | None], asyncio.Protocol]) -> None:
        self._choose = choose

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio."""
        agreed = transport.get_extra_info("ssl_object").selected_alpn_protocol()
        protocol = self._choose(agreed)
        cast("asyncio.Transport", transport).set_protocol(protocol)
        protocol.connection_made(transport)
