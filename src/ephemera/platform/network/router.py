"""The router that the private networks of one platform meet in, as the server sees it.

What is slow happens once: when the server starts (`Network.open`), and for the first machine of a
network. Giving a machine of a known network its place (`plug`) touches no kernel, only memory and
a line in a file.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Network
from pathlib import Path
from typing import Any, NamedTuple

from ephemera.errors import BootFailed, DriverError
from ephemera.platform.network import netlink, numbers, rules
from ephemera.platform.network.forwarding import Forwarding
from ephemera.platform.network.namespaces import is_left_within
from ephemera.platform.network.numbers import Numbers
from ephemera.platform.network.switchboard import Switchboard
from ephemera.platform.network.uplink import Uplink

#: What leads to all private networks, and to nothing outside of them.
_PRIVATE = "fdaa::/16"
#: How many neighbours the kernel remembers, of all namespaces together: each machine that
#: speaks is four of them.
_NEIGHBOURS = 16384
#: How many sockets are made ahead at a time.
_SOCKETS_AHEAD = 16
#: Who waits to be a monitor ends within some hundredths of a second when the server does.
_LEFT_WITHIN_S = 5.0


class Plug(NamedTuple):
    """The place of a machine in its network: what its monitor needs to connect it."""

    #: The number of its bridge in the router's network namespace.
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
        return self._asdict()


class Network:
    """The private networks of one platform.

    Args:
        home: The state folder.
    """

    def __init__(self, home: Path) -> None:
        number = numbers.home_number(home)
        self._numbers = Numbers(home / "network.json")
        self._switchboard = Switchboard(number)
        self._uplink = Uplink(number)
        self._forwarding = Forwarding(self._uplink.name)
        #: The bridges that are there, by the prefixes of their networks.
        self._bridges: dict[str, int] = {}
        #: The bridges that the rules let nothing out of.
        self._closed: set[str] = set()
        self._crowded = self._loud = ""
        #: In the router, for connections to come: going there takes a thread.
        self._sockets: list[socket.socket] = []
        self._changing = asyncio.Lock()

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

    async def close(self, *, stays: bool = False) -> None:
        """Let go of the router, which lives on while monitors live in it. Repeating is safe.

        Args:
            stays: Whether some go on. Else they are ending, and waited for.
        """
        async with self._changing:
            if self._switchboard.is_open:
                await asyncio.to_thread(self._close, stays=stays)

    def router_fd(self) -> int:
        """Return an open file of the router's network namespace, which this object keeps."""
        return self._switchboard.namespace

    def problems(self) -> list[str]:
        """Return what does not work on this computer, in sentences."""
        missing = (
            [] if self._switchboard.ipv6 else ["this kernel has no IPv6: machines have IPv4 only"]
        )
        others = [one for one in (self._crowded, self._loud, self._forwarding.problem) if one]
        return missing + self._uplink.problems + others

    @property
    def host_address(self) -> str:
        """Return the address of this computer as machines see it."""
        return str(self._uplink.host4)

    @property
    def services(self) -> list[str]:
        """Return the addresses at which machines find the resolver and the API."""
        return self._switchboard.services

    def listen(
        self, host: str, port: int, kind: socket.SocketKind = socket.SOCK_STREAM
    ) -> socket.socket:
        """Return a socket in the router, bound, and listening where its kind does.

        Raises:
            OSError: the address is taken, or not one of the router's.
        """
        return self._switchboard.listen(host, port, kind)

    def socket_to(self, host: str) -> socket.socket | None:
        """Return a fresh socket, not blocking, that reaches the IPv4 address of a machine.

        None for any other address. This computer has no routes to the IPv4 addresses of machines,
        which are the same on each platform; the router has.

        Raises:
            OSError: this process may open no more.
        """
        if ":" in host or IPv4Address(host) not in numbers.MACHINES:
            return None
        if not self._sockets:
            self._sockets = self._switchboard.within(_some_sockets)
        return self._sockets.pop()

    # machines

    def ipv4(self, machine_id: str) -> str:
        """Return the IPv4 address of a machine; empty where it has none."""
        return self._numbers.ipv4(machine_id)

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
        gateway6, gateway4 = known.gateways
        return Plug(
            bridge_index=self._bridges[network],
            mac=numbers.mac(machine_id),
            ipv6=f"{address}/{known.prefix.prefixlen}" if self._switchboard.ipv6 else "",
            ipv4=f"{ipv4}/{known.subnet.prefixlen}",
            gateway6=gateway6,
            gateway4=gateway4,
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
            if index is not None:
                removed = netlink.remove(index)
                await asyncio.to_thread(netlink.ask, self._switchboard.sock, removed)
                self._uplink.lead_no_more(network)
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
        networks = self._numbers.networks.values()
        router = self._switchboard
        router.open(monitors)
        self._bridges = router.bridges(networks)
        self._uplink.open(router.namespace, router.sock, ipv6=router.ipv6)
        self._closed = {numbers.bridge_name(one.prefix) for one in networks if not one.outside}
        text = rules.of_router(self._closed, self._uplink.host)
        self._loud = router.within(lambda: rules.apply_quietly(text))
        for network in self._bridges:
            self._uplink.lead(network)
        self._forwarding.again()
        if not all(self.is_closed(network) for network in self._bridges):
            self._forwarding.allow(self._uplink.router4)
        self._crowded = _make_room_for_neighbours()

    def _close(self, *, stays: bool) -> None:
        inhabited = stays or not is_left_within(_LEFT_WITHIN_S, self._switchboard.namespace)
        self._let_go()
        if not inhabited:
            self._forwarding.forget()

    def _let_go(self) -> None:
        self._uplink.close()
        self._numbers.close()
        self._switchboard.close()
        self._bridges = {}
        while self._sockets:
            self._sockets.pop().close()

    async def _ready(self, name: str, *, outside: bool) -> numbers.Network:
        """Return a network that has its bridge, and whose way out is as it should be.

        It is closed before it is written down as closed, and before it has a machine.
        """
        async with self._changing:
            await asyncio.to_thread(self._change_rules, numbers.prefix(name), outside=outside)
            network = self._numbers.network(name, outside=outside)
            if name not in self._bridges:
                self._bridges[name] = self._switchboard.make_bridge(network)
                self._uplink.lead(name)
            return network

    def _change_rules(self, prefix: IPv6Network, *, outside: bool) -> None:
        bridge = {numbers.bridge_name(prefix)}
        wanted = self._closed - bridge if outside else self._closed | bridge
        if wanted != self._closed:
            self._switchboard.within(lambda: rules.apply(rules.of_closed(wanted)))
            self._closed = wanted
        if outside:
            self._forwarding.allow(self._uplink.router4)


def _some_sockets() -> list[socket.socket]:
    found: list[socket.socket] = []
    try:
        for _ in range(_SOCKETS_AHEAD):
            found.append(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            found[-1].setblocking(False)
    except OSError:
        if not found:
            raise
    return found


def _make_room_for_neighbours() -> str:
    """Have the kernel remember enough neighbours; return why it does not, else nothing.

    Only the computer's first network namespace has these limits.
    """
    try:
        for family in ("ipv4", "ipv6"):
            limit = Path(f"/proc/sys/net/{family}/neigh/default/gc_thresh3")
            if limit.exists() and int(limit.read_text()) < _NEIGHBOURS:
                limit.write_text(str(_NEIGHBOURS))
    except OSError as error:
        return f"hundreds of machines at a time may not all reach each other: {error}"
    return ""
