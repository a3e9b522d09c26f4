"""The addresses of an app: which ones there are to give, and who has which.

An address is given only if it reaches this computer, where the apps are:

| type | address |
|---|---|
| `shared_v4` | 127.0.0.1, which all apps share and are told apart by their host names |
| `v4` | one of 127.0.0.0/8 that no other app has; only Linux has them all |
| `v6` | ::1, which all apps share: there is no other loopback address in IPv6 |
| `private_v6` | of the private network, worked out from the names of network and app |

Outgoing traffic leaves from whatever address this computer has, so `egress_*` is refused.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Network, ip_address

from ephemera.platform import refusals
from ephemera.platform.apps import names
from ephemera.platform.clock import Clock
from ephemera.platform.edge import networks, regions
from ephemera.platform.edge.records import AddressRecord
from ephemera.platform.edge.store import EdgeStore
from ephemera.platform.records import AppRecord
from ephemera.wire.addresses import IpType
from ephemera.wire.resource import Wire

SHARED_V4, V6 = "127.0.0.1", "::1"
#: Types whose address other apps have too.
SHARED_TYPES = frozenset({"shared_v4", "v6"})
#: Below are addresses that computers use themselves, such as 127.0.1.1 and 127.0.0.53.
_FIRST_V4 = IPv4Address("127.1.0.1")
#: Where an address counts for all regions.
_GLOBAL = "global"
#: Far more than an app has use for; each takes an address from all others.
ADDRESSES_MAX = 32
_SERVICE_NAME = re.compile(r"[A-Za-z0-9_.-]{0,63}")


class AssignIp(Wire):
    """An address that an app is to have."""

    type: IpType
    region: str | None = None
    service_name: str | None = None
    #: For `private_v6`: in which private network, of which organisation.
    network: str | None = None
    org_slug: str | None = None


class Addresses:
    """The addresses of all apps."""

    def __init__(self, store: EdgeStore, clock: Clock, available: tuple[str, ...]) -> None:
        self._store = store
        self._clock = clock
        self._regions = available

    def of(self, app: AppRecord) -> list[AddressRecord]:
        """Return the addresses of an app, oldest first."""
        return self._store.addresses(app.id)

    def assign(self, app: AppRecord, wanted: AssignIp) -> AddressRecord:
        """Give an app an address.

        Each call for a `v4` gives another one. For the others there is one, and asking for it
        again gives the same.

        Raises:
            Refusal: the request is wrong, there is no such address to give, or the app has
                `ADDRESSES_MAX`.
        """
        region = self._checked(wanted)
        ip = self._address(app, wanted)
        held = self.of(app)
        again = next((one for one in held if one.ip == ip), None)
        if again:
            return again
        if len(held) >= ADDRESSES_MAX:
            raise refusals.too_many_addresses(ADDRESSES_MAX)
        name = wanted.service_name or ""
        address = AddressRecord(app.id, ip, wanted.type, region, name, self._clock())
        self._store.add_address(address)
        return address

    def release(self, app: AppRecord, ip: str) -> None:
        """Take an address from an app.

        Raises:
            Refusal: the app does not have it.
        """
        try:
            text = str(ip_address(ip))
        except ValueError:
            raise refusals.invalid(f"ip {ip[:60]!r} is not an address") from None
        if not self._store.drop_address(app.id, text):
            raise refusals.address_not_found(text)

    def _checked(self, wanted: AssignIp) -> str:
        """Return the region that the address is for; refuse what is wrong with the rest."""
        if not _SERVICE_NAME.fullmatch(wanted.service_name or ""):
            raise refusals.invalid(f"service_name {wanted.service_name!r:.80} is not a name")
        names.check_network(wanted.network or "")
        if wanted.org_slug:
            names.check_org_slug(wanted.org_slug)
        if wanted.region in (None, "", _GLOBAL):
            return _GLOBAL
        return regions.choose(wanted.region or "", self._regions)

    def _address(self, app: AppRecord, wanted: AssignIp) -> str:
        match wanted.type:
            case "shared_v4":
                return SHARED_V4
            case "v6":
                return V6
            case "private_v6":
                return str(networks.private_address(app, _network(app, wanted)))
            case "v4" if sys.platform == "linux":
                return self._free_v4()
            case "v4":
                raise refusals.unsupported("type 'v4' where there is one address, use 'shared_v4'")
            case _:
                raise refusals.unsupported(
                    f"type '{wanted.type}': machines reach out from this computer's own addresses"
                )

    def _free_v4(self) -> str:
        taken = {one.ip for one in self._store.addresses_of_type("v4")}
        return next(ip for ip in _loopback() if ip not in taken)


def _network(app: AppRecord, wanted: AssignIp) -> IPv6Network:
    """Return the network that an address is wanted in: that of the app, unless one is named."""
    if wanted.network or wanted.org_slug:
        return networks.cidr(wanted.org_slug or app.org_slug, wanted.network or app.network)
    return networks.of_app(app)


def _loopback() -> Iterator[str]:
    number = int(_FIRST_V4)
    while True:
        yield str(IPv4Address(number))
        number += 1
