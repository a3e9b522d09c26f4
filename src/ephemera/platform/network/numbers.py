"""Who has which IPv4 address, and the numbers that follow from a network's prefix.

IPv6 addresses follow from names and need no record. IPv4 addresses are few: each network has a
/20 of 100.64.0.0/10, and a machine one of its addresses from its first boot until it is
destroyed. `network.json` has a line of JSON for each thing that happened. A line is appended
before it counts, so a server may be killed anywhere; what still holds is written in their place,
all at once, when it is opened and whenever many have come.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path

from ephemera.errors import BootFailed
from ephemera.platform.network.journal import Journal, Line

_log = logging.getLogger(__name__)

#: All that machines have: what RFC 6598 sets apart for networks behind a NAT.
MACHINES = IPv4Network("100.64.0.0/10")
_SUBNET_BITS = 20
#: How many networks can have machines. The first /20 is the platform's own, the last has uplinks.
NETWORKS_MAX = (1 << _SUBNET_BITS - MACHINES.prefixlen) - 2
#: The first address of a network is its gateway, the last is for broadcasts.
_FIRST, _LAST = 2, (1 << 32 - _SUBNET_BITS) - 2
_PRIVATE = IPv6Network("fdaa::/16")
_PREFIX_BITS = 48


def prefix(network: str) -> IPv6Network:
    """Return a private network.

    Raises:
        ValueError: it is not a /48 of fdaa::/16, or the platform's own.
    """
    found = IPv6Network(network)
    if found.prefixlen != _PREFIX_BITS or not found.subnet_of(_PRIVATE) or not _number(found):
        raise ValueError(f"{network!r} is not a private network, such as 'fdaa:1:2::/48'")
    return found


def bridge_name(network: IPv6Network) -> str:
    """Return what the bridge of a network is called: every network's own, always the same."""
    return f"n{_number(network):08x}"


def mac(text: str) -> str:
    """Return a hardware address that is always the same for the same text.

    A machine keeps its own over all its boots, so that what its neighbours know stays true.
    """
    digest = sha256(text.encode()).digest()
    return ":".join(f"{byte:02x}" for byte in (0x02, *digest[:5]))


@dataclass
class Network:
    """What is known of a private network."""

    prefix: IPv6Network
    #: Which /20 it has, from 1.
    slot: int
    #: Whether its machines may reach the world outside.
    outside: bool
    #: The places of its machines, by their ids.
    places: dict[str, int] = field(default_factory=dict)
    taken: set[int] = field(default_factory=set)
    #: Where the search for a free place goes on, so that none is given again soon.
    ahead: int = _FIRST

    @cached_property
    def name(self) -> str:
        """Return its prefix as a text, such as `fdaa:1:2::/48`."""
        return str(self.prefix)

    @cached_property
    def gateways(self) -> tuple[str, str]:
        """Return the addresses of its bridge as texts: IPv6, then IPv4."""
        return str(self.gateway6), str(self.gateway4)

    @cached_property
    def subnet(self) -> IPv4Network:
        """Return its IPv4 addresses."""
        return IPv4Network((int(self.address(0)), _SUBNET_BITS))

    @cached_property
    def gateway4(self) -> IPv4Address:
        """Return the IPv4 address of its bridge."""
        return self.address(1)

    @cached_property
    def gateway6(self) -> IPv6Address:
        """Return the IPv6 address of its bridge."""
        return self.prefix[1]

    def address(self, place: int) -> IPv4Address:
        """Return the IPv4 address of a place."""
        return MACHINES[(self.slot << 32 - _SUBNET_BITS) + place]

    def free(self) -> int:
        """Return a place that nobody has.

        Raises:
            BootFailed: there is none.
        """
        if len(self.taken) > _LAST - _FIRST:
            raise BootFailed(
                f"the network {self.prefix} is full: it has {len(self.taken)} machines",
                hint="destroy machines that are not needed, or put apps into networks of their own",
            )
        while self.ahead in self.taken:
            self.ahead = _after(self.ahead)
        return self.ahead

    def put(self, machine_id: str, place: int) -> None:
        """Note who has a place."""
        self.places[machine_id] = place
        self.taken.add(place)
        self.ahead = _after(place)


class Numbers:
    """The record of all networks of one platform.

    Args:
        path: Where it is kept.
    """

    def __init__(self, path: Path) -> None:
        self._journal = Journal(path)
        self.networks: dict[str, Network] = {}
        #: The networks of machines, by their ids.
        self._of: dict[str, Network] = {}
        self._slots: dict[int, Network] = {}

    def open(self) -> None:
        """Read what is on record, and write it down anew. Repeating is safe.

        Raises:
            OSError: it cannot be read or written.
        """
        self.close()
        self.networks, self._of, self._slots = {}, {}, {}
        for line in self._journal.read():
            self._apply(line)
        self._journal.write_anew(self._whole())

    def close(self) -> None:
        """Close the file. Repeating is safe."""
        self._journal.close()

    def network(self, name: str, *, outside: bool) -> Network:
        """Return a network by its prefix; one that is new gets its addresses here.

        Raises:
            BootFailed: there are too many networks.
            ValueError: it is not a prefix of a private network.
        """
        known = self.networks.get(name)
        if known is None:
            prefix(name)
            self._write(["network", name, self._free_slot(), outside])
        elif known.outside != outside:
            self._write(["network", name, known.slot, outside])
        return self.networks[name]

    def take(self, network: Network, machine_id: str) -> IPv4Address:
        """Return the IPv4 address of a machine; one that has none gets it here.

        Raises:
            BootFailed: the network is full.
        """
        if machine_id not in network.places:
            self.give_back(machine_id)
            self._write(["machine", network.name, machine_id, network.free()])
        return network.address(network.places[machine_id])

    def give_back(self, machine_id: str) -> None:
        """Forget the address of a machine. Unknown is fine."""
        if machine_id in self._of:
            self._write(["gone", machine_id])

    def ipv4(self, machine_id: str) -> str:
        """Return the IPv4 address of a machine; empty where it has none."""
        network = self._of.get(machine_id)
        return str(network.address(network.places[machine_id])) if network else ""

    def drop(self, name: str) -> None:
        """Forget a network that has no machines. Unknown is fine."""
        if name in self.networks:
            self._write(["dropped", name])

    def at(self, address: str) -> str:
        """Return the prefix of the network that an address is of; empty where it is of none."""
        value = address.partition("%")[0]
        if ":" in value:
            packed = IPv6Address(value)
            mapped = packed.ipv4_mapped
            if mapped is None:
                name = str(IPv6Network((int(packed), _PREFIX_BITS), strict=False))
                return name if name in self.networks else ""
            value = str(mapped)
        slot = int(IPv4Address(value)) - int(MACHINES.network_address) >> 32 - _SUBNET_BITS
        found = self._slots.get(slot)
        return str(found.prefix) if found else ""

    def _free_slot(self) -> int:
        for slot in range(1, NETWORKS_MAX + 1):
            if slot not in self._slots:
                return slot
        raise BootFailed(
            f"there are {NETWORKS_MAX} private networks, and no room for another",
            hint="delete apps that are not needed, or let apps share a network",
        )

    def _write(self, line: Line) -> None:
        self._journal.append(line)
        self._apply(line)
        if self._journal.is_long:
            try:
                self._journal.write_anew(self._whole())
            except OSError as error:  # what was written holds
                _log.warning("%s cannot be written anew yet: %s", self._journal, error)

    def _apply(self, line: Line) -> None:
        match line:
            case ["network", str(name), int(slot), bool(outside)] if name in self.networks:
                self.networks[name].outside = outside
            case ["network", str(name), int(slot), bool(outside)]:
                made = Network(prefix(name), slot, outside)
                self.networks[name] = self._slots[slot] = made
            case ["machine", str(name), str(machine_id), int(place)]:
                self._of[machine_id] = network = self.networks[name]
                network.put(machine_id, place)
            case ["gone", str(machine_id)]:
                network = self._of.pop(machine_id)
                network.taken.discard(network.places.pop(machine_id))
            case ["dropped", str(name)]:
                del self._slots[self.networks.pop(name).slot]
            case _:
                raise ValueError(f"{self._journal} has a line that means nothing: {line}")

    def _whole(self) -> Iterator[Line]:
        for name, network in self.networks.items():
            yield ["network", name, network.slot, network.outside]
            for machine_id, place in network.places.items():
                yield ["machine", name, machine_id, place]


def _after(place: int) -> int:
    return place + 1 if place < _LAST else _FIRST


def _number(network: IPv6Network) -> int:
    return int(network.network_address) >> 80 & 0xFFFFFFFF


def home_number(home: Path) -> str:
    """Return ten hexadecimal digits that stand for a state folder."""
    return sha256(os.fsencode(home.absolute())).hexdigest()[:10]
