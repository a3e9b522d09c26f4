"""The way out: a cable between the router and this computer.

```
 eph<home> 100.127.x.1 ════ veth pair ════ 100.127.x.2 uplink
 fdaa:0:0:<home>::1                        fdaa:0:0:<home>::2
```

The cable and all routes over it go with the router. What the host has to allow is in `forwarding`.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address
from pathlib import Path

from ephemera.platform.network import namespaces, netlink, rules
from ephemera.platform.network.netlink import Answer

#: Where the two addresses of the cable are looked for, in this order: a /30 that the host has no
#: route to. No network of machines has addresses of the first.
_CANDIDATES = ("100.127.240.0/20", "10.255.240.0/20", "172.31.240.0/20", "192.168.240.0/20")
_LINK_BITS = 30
#: `fdaa:0:0` is no app's network.
_PREFIX = int(IPv6Address("fdaa::"))
#: Each link of the router has it: without one the kernel asks nobody for a neighbour.
LINK_LOCAL = "fe80::1/64"
_DEFAULT_MTU = 1500
_SYSCTL = Path("/proc/sys/net")


class Uplink:
    """The cable between the host's network namespace and the router's.

    Args:
        home: The number of the state folder, ten hexadecimal digits.
    """

    def __init__(self, home: str) -> None:
        self.name = f"eph{home}"
        self._home = int(home, 16)
        self._host: socket.socket | None = None
        self._index = 0
        #: The links through which the host reaches private networks, by their prefixes.
        self._led: dict[str, int] = {}
        self.host4 = self.router4 = IPv4Address(0)
        self.host6: IPv6Address | None = None
        self.router6: IPv6Address | None = None
        #: How large a packet may be on its way out; bytes.
        self.mtu = _DEFAULT_MTU
        self.problems: list[str] = []

    def open(self, namespace: int, router: socket.socket, *, ipv6: bool) -> None:
        """Lay the cable where it is not laid. Repeating is safe.

        Args:
            namespace: An open file of the router's network namespace.
            router: A netlink socket there.
            ipv6: Whether the router has IPv6.

        Raises:
            OSError: it cannot be made; the message says what was being done.
        """
        self.close()
        self._host = netlink.connect()
        self.problems.clear()
        if not self._laid(router):
            self._lay(namespace)
        self._index = netlink.find(self._host, self.name).index
        uplink = netlink.find(router, rules.UPLINK).index
        self._set_up(router, uplink)
        if ipv6:
            self._set_up_ipv6(namespace, router, uplink)
        self.mtu = _mtu_outside(self._host)
        self._led = _led(self._host)

    def close(self) -> None:
        """Let go of the host's network namespace. The cable stays. Repeating is safe."""
        if self._host:
            self._host.close()
            self._host = None

    @property
    def host(self) -> rules.Host:
        """Return the host, as the router's rules need to know it."""
        low, high = (_SYSCTL / "ipv4/ip_local_port_range").read_text().split()
        return rules.Host(self.host4, self.host6, f"{low}-{high}")

    def lead(self, prefix: str) -> None:
        """Lead what this computer has for a private network into the router.

        Another platform here may have a network of the same prefix, which then keeps the route;
        `problems` says so. Repeating is safe.

        Raises:
            OSError: it was refused.
        """
        if self._host is None or self.router6 is None:
            return
        index = self._led.setdefault(prefix, self._index)
        if index == self._index:
            netlink.ask(self._host, netlink.lead(prefix, self._index, str(self.router6)))
        else:
            self.problems.append(
                f"programs of this computer reach the network {prefix} of another platform,"
                " not ours: apps that share a network here need one with another name"
            )

    def lead_no_more(self, prefix: str) -> None:
        """Take the route to a private network away. Unknown is fine."""
        if self._host and self._led.get(prefix) == self._index:
            del self._led[prefix]
            netlink.ask(self._host, netlink.lead_no_more(prefix, self._index))

    def _laid(self, router: socket.socket) -> bool:
        """Whether the cable connects this host with this router. What is half of one is removed."""
        assert self._host
        ours, theirs = (
            netlink.named(self._host).get(self.name),
            netlink.named(router).get(rules.UPLINK),
        )
        if ours and theirs and ours.number(netlink.PEER_INDEX) == theirs.index:
            addresses = {one.fixed[4]: one for one in _addresses(router, socket.AF_INET)}
            if theirs.index in addresses:
                packed = addresses[theirs.index].attributes[netlink.ADDRESS]
                self.router4 = IPv4Address(packed)
                self.host4 = self.router4 - 1
                return True
        if theirs:
            _remove(router, theirs)
            ours = netlink.named(self._host).get(self.name)
        if ours:  # of a router that is gone, or just going
            _remove(self._host, ours)
        return False

    def _lay(self, namespace: int) -> None:
        assert self._host
        link = _free_link(self._host, self._home)
        self.host4, self.router4 = link[1], link[2]
        peer = (
            netlink.text(netlink.NAME, rules.UPLINK),
            netlink.number(netlink.IN_NAMESPACE, namespace),
        )
        netlink.ask(self._host, netlink.pair(self.name, peer=peer))

    def _set_up(self, router: socket.socket, uplink: int) -> None:
        assert self._host
        self.host6 = self.router6 = None
        netlink.ask(
            router,
            netlink.change(uplink),
            netlink.assign(uplink, f"{self.router4}/{_LINK_BITS}"),
        )
        netlink.ask(
            self._host,
            netlink.change(self._index),
            netlink.assign(self._index, f"{self.host4}/{_LINK_BITS}"),
        )
        netlink.ask(router, netlink.lead("0.0.0.0/0", uplink, str(self.host4)))

    def _set_up_ipv6(self, namespace: int, router: socket.socket, uplink: int) -> None:
        assert self._host
        base = _PREFIX | self._home << 40
        host, gateway = IPv6Address(base + 1), IPv6Address(base + 2)
        try:
            namespaces.inside(namespace, lambda: speak_ipv6(rules.UPLINK))
            for address in (f"{gateway}/120", LINK_LOCAL):
                netlink.ask(router, netlink.assign(uplink, address))
            netlink.ask(self._host, netlink.assign(self._index, f"{host}/120"))
        except OSError as error:
            self.problems.append(f"this computer cannot reach machines by IPv6: {error}")
        else:
            self.host6, self.router6 = host, gateway


def _remove(sock: socket.socket, link: Answer) -> None:
    """Remove a link, unless it has just gone with the router at one of its ends."""
    try:
        netlink.ask(sock, netlink.remove(link.index))
    except OSError as error:
        if error.errno != errno.ENODEV:
            raise


def speak_ipv6(link: str) -> None:
    """Have a link in the network namespace of this thread speak IPv6. Repeating is safe.

    Raises:
        OSError: there is no such link, or this kernel has no IPv6.
    """
    (_SYSCTL / f"ipv6/conf/{link}/disable_ipv6").write_text("0")


def _addresses(sock: socket.socket, family: int) -> Iterator[Answer]:
    return (one for one in netlink.tell(sock, netlink.GETADDR) if one.fixed[0] == family)


def _routes(sock: socket.socket) -> Iterator[tuple[IPv4Network, Answer]]:
    """Yield all IPv4 routes of a host, in whatever table."""
    for one in netlink.tell(sock, netlink.GETROUTE):
        if one.fixed[0] == socket.AF_INET:
            start = IPv4Address(one.attributes.get(netlink.TO, bytes(4)))
            yield IPv4Network((int(start), one.fixed[1])), one


def _led(host: socket.socket) -> dict[str, int]:
    """Return the links through which a host reaches networks of IPv6, by their prefixes."""
    found: dict[str, int] = {}
    for one in netlink.tell(host, netlink.GETROUTE):
        if one.fixed[0] == socket.AF_INET6 and one.fixed[1] and netlink.TO in one.attributes:
            start = IPv6Address(one.attributes[netlink.TO])
            found[f"{start}/{one.fixed[1]}"] = one.number(netlink.OUT_OF)
    return found


def _free_link(host: socket.socket, start: int) -> IPv4Network:
    """Return a /30 that the host has no route to.

    Raises:
        OSError: there is none.
    """
    routes = [network for network, _ in _routes(host) if network.prefixlen]
    for candidate in map(IPv4Network, _CANDIDATES):
        links = list(candidate.subnets(new_prefix=_LINK_BITS))
        first = start % len(links)
        for link in (*links[first:], *links[:first]):
            if not any(link.overlaps(route) for route in routes):
                return link
    raise OSError(f"this computer has routes to all of {', '.join(_CANDIDATES)}")


def _mtu_outside(host: socket.socket) -> int:
    """Return how large the packets may be that the host sends into the world; bytes."""
    for network, route in _routes(host):
        if not network.prefixlen:
            index = route.number(netlink.OUT_OF)
            for link in netlink.tell(host, netlink.GETLINK):
                if link.index == index:
                    return min(link.number(netlink.MTU), _DEFAULT_MTU)
    return _DEFAULT_MTU
