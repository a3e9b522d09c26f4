"""The ports of this computer that apps are given: binding them, and what is said of each."""

from __future__ import annotations

import socket
import sys
from dataclasses import dataclass
from pathlib import Path

#: Of one app, and of one kind. Each is a descriptor of the server.
PORTS_MAX = 100


@dataclass(frozen=True, slots=True)
class ServedPort:
    """A port of an app."""

    app_id: str
    port: int
    internal_port: int
    #: Where it is on this computer; empty where it is not served.
    address: str
    #: Why it is not, else empty.
    problem: str = ""
    #: `http` or `https` where requests are taken; empty where bytes are passed.
    scheme: str = ""


def bound(host: str, port: int) -> socket.socket:
    """Return a socket at a port, which does not listen yet.

    Raises:
        OSError: it cannot be had.
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    return sock


def why_not(host: str, port: int, error: Exception) -> str:
    """Return why a port cannot be had, in words."""
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"cannot listen on {host}:{port}: {why.lower()}"


def _network() -> int:
    """Return what tells the network of this process from others."""
    return Path("/proc/self/ns/net").stat().st_ino if sys.platform == "linux" else 0


_NETWORK_AT_START = _network()


def left_its_network() -> str:
    """Return why this process opens no ports that anybody would find, else nothing.

    A platform with containers and without root is in a network of its own.
    """
    if _network() == _NETWORK_AT_START:
        return ""
    return "a platform with containers and without root opens no ports of this computer"
