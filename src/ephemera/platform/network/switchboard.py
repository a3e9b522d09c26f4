"""The router's own network namespace: found or made, and the bridges in it.

It has no name. Its `lo` carries a mark with the number of the state folder, by which a server
that starts knows it again in the monitors that live in it.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from ephemera.platform.network import namespaces, netlink, numbers
from ephemera.platform.network.uplink import LINK_LOCAL, speak_ipv6

#: Where machines find the resolver and the API: first as on Fly.io, then where there is no IPv6.
SERVICE6, SERVICE4 = "fdaa::3", "100.64.0.3"
_SYSCTL = Path("/proc/sys/net")
#: What the router is told: pass packets on, ask nobody whether an address is free, make no
#: addresses by itself, and leave what stays within a bridge alone. Of its links only those that
#: are told so speak IPv6: what cables are plugged in with need not, and each would have a route.
_SETTINGS = {
    "ipv4/ip_forward": "1",
    "ipv4/conf/all/send_redirects": "0",
    "ipv6/conf/all/forwarding": "1",
    "ipv6/conf/default/accept_dad": "0",
    "ipv6/conf/default/addr_gen_mode": "1",
    "ipv6/conf/default/disable_ipv6": "1",
    "bridge/bridge-nf-call-iptables": "0",
    "bridge/bridge-nf-call-ip6tables": "0",
    "bridge/bridge-nf-call-arptables": "0",
}
_BACKLOG = 128
_LOOPBACK = "lo"

T = TypeVar("T")


class Switchboard:
    """A router's network namespace, held open.

    Args:
        home: The number of the state folder.
    """

    def __init__(self, home: str) -> None:
        self._mark = f"ephemera {home}"
        self._namespace: int | None = None
        self._sock: socket.socket | None = None
        self.ipv6 = (_SYSCTL / "ipv6").exists()

    def open(self, monitors: Iterable[int]) -> None:
        """Hold the router that monitors live in, or a new one.

        Args:
            monitors: Their process ids.

        Raises:
            OSError: there cannot be one; the message says what was being done.
        """
        found = self._inhabited(monitors)
        self._namespace = namespaces.fresh() if found is None else found
        self.within(self._set_up)
        self._sock = self.within(netlink.connect)

    def close(self) -> None:
        """Let go of it. Repeating is safe."""
        if self._sock is not None:
            self._sock.close()
            self._sock = None
        if self._namespace is not None:
            os.close(self._namespace)
            self._namespace = None

    @property
    def is_open(self) -> bool:
        """Whether it is held."""
        return self._namespace is not None

    @property
    def namespace(self) -> int:
        """An open file of it."""
        assert self._namespace is not None, "the network is not open"
        return self._namespace

    @property
    def sock(self) -> socket.socket:
        """A netlink socket in it."""
        assert self._sock is not None, "the network is not open"
        return self._sock

    @property
    def services(self) -> list[str]:
        """The addresses at which machines find the resolver and the API."""
        return [SERVICE6, SERVICE4] if self.ipv6 else [SERVICE4]

    def within(self, work: Callable[[], T]) -> T:
        """Return what `work` returns in there."""
        return namespaces.inside(self.namespace, work)

    def listen(self, host: str, port: int, kind: socket.SocketKind) -> socket.socket:
        """Return a socket in there, bound, and listening where its kind does.

        Raises:
            OSError: the address is taken, or not one of the router's.
        """
        return self.within(lambda: _bound(host, port, kind))

    def bridges(self, networks: Iterable[numbers.Network]) -> dict[str, int]:
        """Return the numbers of the bridges that are there, by the prefixes of their networks."""
        links = netlink.named(self.sock)
        named = ((str(one.prefix), numbers.bridge_name(one.prefix)) for one in networks)
        return {prefix: links[name].index for prefix, name in named if name in links}

    def make_bridge(self, network: numbers.Network) -> int:
        """Return the number of a network's bridge, which works. Repeating is safe."""
        name = numbers.bridge_name(network.prefix)
        try:
            netlink.ask(self.sock, netlink.bridge(name, netlink.mac(numbers.mac(name))))
        except OSError as error:
            if not netlink.exists(error):
                raise
        index = netlink.find(self.sock, name).index
        addresses = [f"{network.gateway4}/{network.subnet.prefixlen}"]
        if self.ipv6:
            self.within(lambda: speak_ipv6(name))
            addresses += [f"{network.gateway6}/{network.prefix.prefixlen}", LINK_LOCAL]
        assigned = (netlink.assign(index, address) for address in addresses)
        netlink.ask(self.sock, netlink.change(index), *assigned)
        return index

    def _inhabited(self, monitors: Iterable[int]) -> int | None:
        """Return an open file of the router that monitors live in; None where there is none."""
        host = namespaces.own()
        try:
            for pid in monitors:
                found = namespaces.of_process(pid)
                if found is None:
                    continue
                if not namespaces.same(found, host) and self._is_ours(found):
                    return found
                os.close(found)
        finally:
            os.close(host)
        return None

    def _is_ours(self, namespace: int) -> bool:
        with namespaces.inside(namespace, netlink.connect) as sock:
            return netlink.find(sock, _LOOPBACK).text(netlink.ALIAS) == self._mark

    def _set_up(self) -> None:
        """Make the network namespace of this thread a router."""
        for name, value in _SETTINGS.items():
            setting = _SYSCTL / name
            if setting.exists():
                setting.write_text(value)
        with netlink.connect() as sock:
            loopback = netlink.find(sock, _LOOPBACK).index
            assigned = [netlink.assign(loopback, f"{SERVICE4}/32")]
            if self.ipv6:
                assigned.append(netlink.assign(loopback, f"{SERVICE6}/128"))
            mark = netlink.text(netlink.ALIAS, self._mark)
            netlink.ask(sock, netlink.change(loopback, mark), *assigned)


def _bound(host: str, port: int, kind: socket.SocketKind) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, kind)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        if kind == socket.SOCK_STREAM:
            sock.listen(_BACKLOG)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock
