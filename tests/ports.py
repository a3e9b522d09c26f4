"""Ports for what tests start themselves, of those that the system gives nobody."""

from __future__ import annotations

from dataclasses import replace

from ephemera.platform.settings import Settings
from ephemera.testing.serving import TESTING
from ephemera.testing.serving import lasting_port as free_port

__all__ = ["free_port", "lasting_proxy"]


def lasting_proxy() -> Settings:
    """Return settings of a platform whose proxy is where it was when the server is restarted.

    While a server is away, its usual port is taken by the next platform that starts.
    """
    return replace(TESTING, proxy=f"127.0.0.1:{free_port()}", proxy_tls=f"127.0.0.1:{free_port()}")
