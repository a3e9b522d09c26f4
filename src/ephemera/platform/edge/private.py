"""The private networks of apps, where the driver gives machines some.

What the driver knows of a network is only what a machine needs. Which apps are in it, whether it
is closed, and what its machines are called is said here.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator, Sequence

from ephemera.platform.apps.registry import Apps
from ephemera.platform.drivers.base import Driver
from ephemera.platform.edge import networks
from ephemera.platform.machines.boots import LOOPBACK, LOOPBACK6, Reach
from ephemera.platform.network.names import Named
from ephemera.platform.network.resolver import Resolver
from ephemera.platform.network.router import Network
from ephemera.platform.network.rules import API_PORT, PROXY_PORT
from ephemera.platform.records import AppRecord, MachineRecord
from ephemera.platform.states import State


class PrivateNetworks:
    """The private networks of one platform; none where its driver has none.

    Args:
        machines: Returns the machines of an app that are not destroyed, by the app's id.
    """

    def __init__(
        self,
        driver: Driver,
        apps: Apps,
        machines: Callable[[str], Iterable[MachineRecord]],
        reach: Reach,
    ) -> None:
        self._apps = apps
        self._machines = machines
        self._reach = reach
        self._network: Network | None = getattr(driver, "network", None)
        self._resolver = Resolver(self._network, self) if self._network else None

    async def open(self) -> None:
        """Say which networks are closed, and answer for names. Once the driver is open."""
        for app in self._apps.all():
            await self._tell(app)
        if self._resolver:
            await self._resolver.open()

    async def close(self) -> None:
        """Answer no more. Repeating is safe."""
        if self._resolver:
            await self._resolver.close()

    async def set_outside(self, app: AppRecord, *, outside: bool) -> None:
        """Let the machines of an app's network reach the world outside, or not: at once.

        Raises:
            DriverError: it is written down, but does not hold yet: asking again is safe.
        """
        self._apps.set_outside(app, outside=outside)
        await self._tell(self._apps[app.id])

    async def forget(self, app: AppRecord) -> None:
        """Remove the network of an app that leaves, unless others have it. Repeating is safe."""
        if self._network and len(self._apps.sharing(app)) == 1:
            await self._network.drop(networks.prefix(app))

    @property
    def are_there(self) -> bool:
        """Whether machines have private networks."""
        return self._network is not None

    # how machines are reached

    def addresses(self, record: MachineRecord) -> tuple[str, ...]:
        """Return the addresses at which the programs of a machine may listen, likeliest first."""
        if self._network is None:
            return (LOOPBACK, LOOPBACK6)
        app = self._apps[record.app_id]
        ipv4 = self._network.ipv4(record.id)
        return (*((ipv4,) if ipv4 else ()), self._reach.address(app, record.id))

    def socket_to(self, host: str) -> socket.socket | None:
        """Return a fresh socket, not blocking, by which one of these addresses is reached.

        None where any will do.

        Raises:
            OSError: this process may open no more.
        """
        return self._network.socket_to(host) if self._network else None

    def reaches(self, client: str, app: AppRecord) -> bool:
        """Whether a client may reach an app: all may but machines that have no business there.

        A machine reaches the apps of its network, and where that is open those of its organisation.

        Args:
            client: Its address; empty where it is not known, and not a machine's.
        """
        network = self.network_of(client)
        return not network or self._is_near(network, app)

    def network_of(self, client: str) -> str:
        """Return the prefix of the network that a client's address is of; empty where of none."""
        return self._network.network_of(client) if self._network and client else ""

    def listeners(self) -> list[socket.socket]:
        """Return sockets at which machines find the API.

        Raises:
            OSError: somebody else listens there.
        """
        return self._listening(API_PORT)

    def proxy_listeners(self) -> list[socket.socket]:
        """Return sockets at which machines find the proxy, as its plain port.

        Raises:
            OSError: somebody else listens there.
        """
        return self._listening(PROXY_PORT)

    @property
    def host_address(self) -> str:
        """The address at which machines reach this computer."""
        return self._network.host_address if self._network else LOOPBACK

    # what names mean

    def apps(self, network: str) -> Sequence[str]:
        """Return the names of the apps in a network that live."""
        return [app.name for app in self._in(network)]

    def machines(self, network: str, app_name: str) -> Sequence[Named]:
        """Return the machines of an app in a network, oldest first."""
        return [
            self._named(app, record)
            for app in self._in(network)
            if app.name == app_name
            for record in self._machines(app.id)
        ]

    def serves(self, network: str, app_name: str) -> bool:
        """Whether machines of a network may reach an app through the proxy."""
        return any(
            app.name == app_name and app.id in self._apps and self._is_near(network, app)
            for app in self._apps.all()
        )

    def _is_near(self, network: str, app: AppRecord) -> bool:
        """Whether an app is in a network, or of the organisation of an open network's apps."""
        return network == networks.prefix(app) or any(
            other.outside and other.org_slug == app.org_slug for other in self._in(network)
        )

    def _listening(self, port: int) -> list[socket.socket]:
        if self._network is None:
            return []
        return [self._network.listen(address, port) for address in self._network.services]

    def _in(self, network: str) -> Iterator[AppRecord]:
        for app in self._apps.all():
            if app.id in self._apps and networks.prefix(app) == network:
                yield app

    def _named(self, app: AppRecord, record: MachineRecord) -> Named:
        metadata = record.config.get("metadata") or {}
        return Named(
            id=record.id,
            region=record.region,
            address=self._reach.address(app, record.id),
            started=record.state is State.STARTED,
            metadata=metadata,
        )

    async def _tell(self, app: AppRecord) -> None:
        if self._network:
            await self._network.set_outside(networks.prefix(app), outside=app.outside)
