"""Ports for what tests start themselves, of those that the system gives nobody."""

from __future__ import annotations

import secrets
import socket
from dataclasses import replace

from ephemera.platform.settings import Settings
from ephemera.testing.serving import TESTING, lasting_ports


def free_port() -> int:
    """Return a port of 127.0.0.1 on which nobody listens."""
    while True:
        port = secrets.choice(lasting_ports())
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


def lasting_proxy() -> Settings:
    """Return settings of a platform whose proxy is where it was when the server is restarted.

    While a server is away, its usual port is taken by the next platform that starts.
    """
    return replace(TESTING, proxy=f"127.0.0.1:{free_port()}", proxy_tls=f"127.0.0.1:{free_port()}")
