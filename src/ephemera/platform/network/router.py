"""The router that the private networks of one platform meet in, as the server sees it.

What is slow happens once: when the server starts (`Network.open`), and for the first machine of a
network. Giving a machine of a known network its place (`plug`) touches no kernel, only memory and
a line in a file.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from ipaddress import IPv6Network
from pathlib import Path
from typing import Any

from ephemera.errors import BootFailed, DriverError
from ephemera.platform.network import namespaces, netlink, numbers, rules, uplink
from ephemera.platform.network.forwarding import Forwarding
from ephemera.platform.network.numbers import Numbers
from ephemera.platform.network.uplink import Uplink

#: Where machines find the resolver and the API: first as on Fly.io, then where there is no IPv6.
SERVICE6, SERVICE4 = "fdaa::3", "100.64.0.3"
#: What leads to all private networks, and to nothing outside of them.
_PRIVATE = "fdaa::/16"
_SYSCTL = Path("/proc/sys/net")
#: What the router is told: pass packets on, ask nobody whether an address is free, make no
#: addresses by itself, and leave what stays within a bridge alone.
_SETTINGS = {
    "ipv4/ip_forward": "1",
    "ipv4/conf/all/send_redirects": "0",
    "ipv6/conf/all/forwarding": "1",
    "ipv6/conf/default/accept_dad": "0",
    "ipv6/conf/default/addr_gen_mode": "1",
    "bridge/bridge-nf-call-iptables": "0",
    "bridge/bridge-nf-call-ip6tables": "0",
    "bridge/bridge-nf-call-arptables": "0",
}
#: How many neighbours the kernel remembers, of all namespaces together: each machine that
#: speaks is four of them.
_NEIGHBOURS = 16384
_BACKLOG = 128
#: The number of `lo` in every namespace.
_LOOPBACK = 1


@dataclass(frozen=True, slots=True)
class Plug:
    """The place of a machine in its network: what its monitor needs to connect it."""

    bridge: str
    #: The number of the bridge in the router's network namespace.
    bridge_index: int
    #: The hardware address of the machine.
    mac: str
    #: `ADDRESS/LENGTH`; empty where this kernel has no IPv6.
    ipv6: str
    ipv4: str
    gateway6: str
    gateway4: str
    #: What is led to `gateway6`.
    private: str
    #: How large a packet may be; bytes.
    mtu: int
    #: For the machine's `/etc/resolv.conf`.
    resolver: str

    def to_message(self) -> dict[str, Any]:
        """Return it as what JSON can hold, for `wiring.plug`."""
        return asdict(self)


class Network:
    """The private networks of one platform.

    Args:
        home: The state folder.
    """

    def __init__(self, home: Path) -> None:
        self._numbers = Numbers(home / "network.json")
        self._uplink = Uplink(numbers.home_number(home))
        self._forwarding = Forwarding(self._uplink.name)
        self._namespace: int | None = None
        self._router: socket.socket | None = None
        #: The bridges that are there, by the prefixes of their networks.
        self._bridges: dict[str, int] = {}
        #: The bridges that the rules let nothing out of.
        self._closed: set[str] = set()
        self._changing = asyncio.Lock()
        self._ipv6 = Path("/proc/sys/net/ipv6").exists()

    # the router

    async def open(self, monitors: Iterable[int]) -> None:
        """Take the router that monitors of this home live in, or make one. Repeating is safe.

        Args:
            monitors: Their process ids.

        Raises:
            DriverError: this computer cannot have one; the message says why.
        """
        async with self._changing:
            try:
                await asyncio.to_thread(self._open, list(monitors))
            except OSError as error:
                self._let_go()
                raise DriverError(
                    f"machines cannot have private networks here: {error}",
                    hint="the container driver needs root, `nft`, and network namespaces",
                ) from error

    async def close(self) -> None:
        """Let go of the router, which lives on while monitors live in it. Repeating is safe."""
        async with self._changing:
            if self._namespace is not None:
                await asyncio.to_thread(self._close, self._namespace)

    def router_fd(self) -> int:
        """Return an open file of the router's network namespace, which this object keeps."""
        assert self._namespace is not None, "the network is not open"
        return self._namespace

    def problems(self) -> list[str]:
        """Return what does not work on this computer, in sentences."""
        missing = [] if self._ipv6 else ["this kernel has no IPv6: machines have IPv4 only"]
        outside = [self._forwarding.problem] if self._forwarding.problem else []
        return missing + self._uplink.problems + outside

    @property
    def host_address(self) -> str:
        """Return the address of this computer as machines see it."""
        return str(self._uplink.host4)

    @property
    def services(self) -> list[str]:
        """Return the addresses at which machines find the resolver and the API."""
        return [SERVICE6, SERVICE4] if self._ipv6 else [SERVICE4]

    def listen(
        self, host: str, port: int, kind: socket.SocketKind = socket.SOCK_STREAM
    ) -> socket.socket:
        """Return a socket in the router, bound, and listening where its kind does.

        Raises:
            OSError: the address is taken, or not one of the router's.
        """
        return namespaces.inside(self.router_fd(), lambda: _bound(host, port, kind))

    # machines

    async def plug(self, network: str, address: str, machine_id: str, *, outside: bool) -> Plug:
        """Return the place of a machine in its network, which is made where it is not there.

        Args:
            network: Its prefix, such as `fdaa:1:2::/48`.
            address: The machine's own IPv6 address in it.
            outside: Whether machines of this network may reach the world outside.

        Raises:
            BootFailed: there is no place for it. Repeating is safe.
            ValueError: the network is not a private one.
        """
        known = self._numbers.networks.get(network)
        try:
            if network not in self._bridges or known is None or known.outside != outside:
                known = await self._ready(network, outside=outside)
            ipv4 = self._numbers.take(known, machine_id)
        except OSError as error:
            raise BootFailed(f"the machine cannot have a network: {error}") from error
        return Plug(
            bridge=numbers.bridge_name(known.prefix),
            bridge_index=self._bridges[network],
            mac=numbers.mac(machine_id),
            ipv6=f"{address}/{known.prefix.prefixlen}" if self._ipv6 else "",
            ipv4=f"{ipv4}/{known.subnet.prefixlen}",
            gateway6=str(known.gateway6),
            gateway4=str(known.gateway4),
            private=_PRIVATE,
            mtu=self._uplink.mtu,
            resolver=self.services[0],
        )

    async def unplug(self, machine_id: str) -> None:
        """Forget the IPv4 address of a machine that is gone. Unknown is fine."""
        self._numbers.give_back(machine_id)

    async def set_outside(self, network: str, *, outside: bool) -> None:
        """Let the machines of a network reach the world outside, or not.

        This is at once, also for machines that run and connections that are open.
        A network that has no machines is told when it gets one, by `plug`.

        Raises:
            DriverError: the rules could not be changed; they are as they were.
        """
        if network in self._bridges and self.is_closed(network) == outside:
            try:
                await self._ready(network, outside=outside)
            except OSError as error:
                raise DriverError(f"the network cannot be changed: {error}") from error

    async def drop(self, network: str) -> None:
        """Remove a network that nobody needs any more; one that has machines stays.

        Unknown is fine.
        """
        async with self._changing:
            known = self._numbers.networks.get(network)
            if known is None or known.places:
                return
            index = self._bridges.pop(network, None)
            if index is not None and self._router:
                await asyncio.to_thread(netlink.ask, self._router, netlink.remove(index))
            self._numbers.drop(network)

    def network_of(self, address: str) -> str:
        """Return the prefix of the network that a machine's address is of; empty where of none."""
        return self._numbers.at(address)

    def is_closed(self, network: str) -> bool:
        """Whether machines of a network may not reach the world outside."""
        known = self._numbers.networks.get(network)
        return known is None or not known.outside

    # how

    def _open(self, monitors: list[int]) -> None:
        self._let_go()
        self._numbers.open()
        self._namespace = _inhabited(monitors) or namespaces.fresh()
        self._router = namespaces.inside(self._namespace, _set_up)
        self._bridges = self._found(self._router)
        new = self._uplink.open(self._namespace, self._router, ipv6=self._ipv6)
        networks = self._numbers.networks.values()
        self._closed = {numbers.bridge_name(one.prefix) for one in networks if not one.outside}
        text = rules.of_router(self._closed, self._uplink.host)
        namespaces.inside(self._namespace, lambda: rules.apply(text))
        if new:
            for network in self._bridges:
                self._uplink.lead(network)
        self._forwarding.again()
        if not all(self.is_closed(network) for network in self._bridges):
            self._forwarding.allow(self._uplink.router4)
        for family in ("ipv4", "ipv6"):
            _raise(f"{family}/neigh/default/gc_thresh3", _NEIGHBOURS)

    def _close(self, namespace: int) -> None:
        inhabited = namespaces.has_others(namespace)
        self._let_go()
        if not inhabited:
            self._forwarding.forget()

    def _let_go(self) -> None:
        self._uplink.close()
        self._numbers.close()
        self._bridges = {}
        if self._router:
            self._router.close()
            self._router = None
        if self._namespace is not None:
            os.close(self._namespace)
            self._namespace = None

    def _found(self, router: socket.socket) -> dict[str, int]:
        """Return the bridges that a router has."""
        links = netlink.named(router)
        bridges = (
            (name, numbers.bridge_name(numbers.prefix(name))) for name in self._numbers.networks
        )
        return {name: links[bridge].index for name, bridge in bridges if bridge in links}

    async def _ready(self, name: str, *, outside: bool) -> numbers.Network:
        """Return a network that has its bridge, and whose way out is as it should be.

        It is closed before it is written down as closed, and before it has a machine.
        """
        async with self._changing:
            await asyncio.to_thread(self._change_rules, numbers.prefix(name), outside=outside)
            network = self._numbers.network(name, outside=outside)
            if name not in self._bridges:
                self._bridges[name] = self._make_bridge(network)
                self._uplink.lead(name)
            return network

    def _change_rules(self, prefix: IPv6Network, *, outside: bool) -> None:
        bridge = {numbers.bridge_name(prefix)}
        wanted = self._closed - bridge if outside else self._closed | bridge
        if wanted != self._closed:
            namespaces.inside(self.router_fd(), lambda: rules.apply(rules.of_closed(wanted)))
            self._closed = wanted
        if outside:
            self._forwarding.allow(self._uplink.router4)

    def _make_bridge(self, network: numbers.Network) -> int:
        assert self._router
        name = numbers.bridge_name(network.prefix)
        mac = netlink.mac(numbers.mac(name))
        try:
            netlink.ask(self._router, netlink.bridge(name, mac))
        except OSError as error:
            if not netlink.exists(error):
                raise
        index = netlink.find(self._router, name).index
        wanted = [netlink.assign(index, f"{network.gateway4}/{network.subnet.prefixlen}")]
        if self._ipv6:
            gateway = f"{network.gateway6}/{network.prefix.prefixlen}"
            wanted += [netlink.assign(index, one) for one in (gateway, uplink.LINK_LOCAL)]
        netlink.ask(self._router, netlink.change(index), *wanted)
        return index


def _inhabited(monitors: list[int]) -> int | None:
    """Return an open file of the router that monitors live in; None where there is none."""
    host = namespaces.own()
    try:
        for pid in monitors:
            found = namespaces.of_process(pid)
            if found is None:
                continue
            if not namespaces.same(found, host) and _is_router(found):
                return found
            os.close(found)
    finally:
        os.close(host)
    return None


def _is_router(namespace: int) -> bool:
    with namespaces.inside(namespace, netlink.connect) as sock:
        return rules.UPLINK in netlink.named(sock)


def _set_up() -> socket.socket:
    """Make the network namespace of this thread a router, and return a netlink socket of it."""
    for name, value in _SETTINGS.items():
        setting = _SYSCTL / name
        if setting.exists():
            setting.write_text(value)
    router = netlink.connect()
    wanted = [netlink.change(_LOOPBACK), netlink.assign(_LOOPBACK, f"{SERVICE4}/32")]
    if (_SYSCTL / "ipv6").exists():
        wanted.append(netlink.assign(_LOOPBACK, f"{SERVICE6}/128"))
    netlink.ask(router, *wanted)
    return router


def _raise(name: str, value: int) -> None:
    """Raise a limit of the computer. Only its first network namespace has these."""
    limit = _SYSCTL / name
    if limit.exists() and int(limit.read_text()) < value:
        limit.write_text(str(value))


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
