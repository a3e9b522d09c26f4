"""The sockets that a platform listens on, taken before it does anything else."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple
from urllib.parse import urlsplit

from ephemera.errors import ConfigError
from ephemera.home import DEFAULT_PROXY, DEFAULT_PROXY_TLS, Endpoint
from ephemera.platform.proxy.urls import ProxyUrls
from ephemera.platform.settings import Settings

_BACKLOG = 2048


class Listeners(NamedTuple):
    """What is listened on: for the API, and for the clients of apps."""

    api: socket.socket
    proxy: socket.socket
    proxy_tls: socket.socket

    @property
    def proxies(self) -> ProxyUrls:
        """Where apps are served."""
        return ProxyUrls(base_url(self.proxy), base_url(self.proxy_tls, "https"))


@contextmanager
def listening(killed: Endpoint | None, listen: str, settings: Settings) -> Iterator[Listeners]:
    """Listen on all ports of a platform, or on none.

    Args:
        killed: What an earlier platform of the folder left behind, whose ports machines know.
        listen: `HOST:PORT` of the API.

    Raises:
        ConfigError: a port that was asked for cannot be had.
    """
    before = (killed.proxy_url, killed.proxy_tls_url) if killed else ("", "")
    with (
        bind(listen) as api,
        _bind_proxy(settings.proxy, before[0], DEFAULT_PROXY, "--proxy") as plain,
        _bind_proxy(settings.proxy_tls, before[1], DEFAULT_PROXY_TLS, "--proxy-tls") as tls,
    ):
        yield Listeners(api, plain, tls)


def _bind_proxy(asked: str, before: str, usual: str, option: str) -> socket.socket:
    """Return a socket of the proxy.

    Args:
        asked: Where it must be; empty where it may be anywhere.
        before: The URL at which it was.
    """
    if asked:
        return bind(asked, option)
    return bind_somewhere(urlsplit(before).netloc or usual)


def bind(listen: str, option: str = "--listen") -> socket.socket:
    """Return a listening socket.

    Args:
        listen: `HOST:PORT`; port 0 takes any free one.
        option: The option that says so, for the hint.

    Raises:
        ConfigError: not such an address, or it is in use.
    """
    try:
        return _bound(listen)
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not a host name"
        raise ConfigError(
            f"cannot listen on {listen}: {why}",
            hint=f"choose another with {option} HOST:PORT; port 0 takes any free one",
        ) from error


def bind_somewhere(usual: str) -> socket.socket:
    """Return a socket that listens on an address, or on any free port where that one is taken.

    Raises:
        ConfigError: there is no free port, or not such an address.
    """
    with suppress(OSError):
        return _bound(usual)
    return bind(f"{usual.rpartition(':')[0]}:0")


def base_url(listener: socket.socket, scheme: str = "http") -> str:
    """Return the URL at which a program on this computer reaches the listener."""
    host, port = listener.getsockname()[:2]
    if host in ("0.0.0.0", "::"):  # noqa: S104 - it is compared, not listened on
        host = "127.0.0.1"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _bound(listen: str) -> socket.socket:
    host, _, port = listen.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise ConfigError(f"'{listen}' is not HOST:PORT", hint="for example 127.0.0.1:4280")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host.strip("[]"), int(port)))
        listener.listen(_BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener
