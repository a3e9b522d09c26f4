"""All of the proxy that knows machines, put together: what a platform holds of it.

```
 writes of machines ─► Fleet ─► Dispatcher ◄── engine (HTTP), TcpServices (bytes)
                         │          ├─ Arrivals: brings machines up
                         │          └─ Loads ─► Idling: stops those that have nothing to do
                         └─ machines that are started are looked for at once
```
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ephemera.platform.apps.registry import Apps
from ephemera.platform.checks.watching import Checks
from ephemera.platform.chores import Chores
from ephemera.platform.clock import Clock
from ephemera.platform.edge.addresses import Addresses
from ephemera.platform.edge.certificates import Certificates
from ephemera.platform.edge.private import PrivateNetworks
from ephemera.platform.logs import Logs
from ephemera.platform.machines.leases import Leases
from ephemera.platform.machines.owner import Owner
from ephemera.platform.proxy.arrival import Around
from ephemera.platform.proxy.arrivals import Arrivals
from ephemera.platform.proxy.complaints import Complaints
from ephemera.platform.proxy.dispatch import Dispatcher
from ephemera.platform.proxy.doors import Doors
from ephemera.platform.proxy.fleet import Fleet
from ephemera.platform.proxy.hosts import Hosts
from ephemera.platform.proxy.idling import Idling
from ephemera.platform.proxy.load import Loads
from ephemera.platform.proxy.ports import ServedPort
from ephemera.platform.proxy.queues import Queues
from ephemera.platform.proxy.routing import ALPN, ProxyRefusal
from ephemera.platform.proxy.tcp import TcpServices
from ephemera.platform.proxy.tls import ServedCertificates
from ephemera.platform.proxy.webports import Serve, WebPorts
from ephemera.platform.records import AppRecord, EventRecord, MachineRecord
from ephemera.platform.settings import Settings
from ephemera.platform.states import State


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a platform that the proxy needs."""

    #: The state folder.
    home: Path
    apps: Apps
    networks: PrivateNetworks
    certificates: Certificates
    addresses: Addresses
    checks: Checks
    leases: Leases
    logs: Logs
    clock: Clock
    settings: Settings
    #: Returns who moves a machine that lives; None where there is none.
    owner: Callable[[str], Owner | None]
    #: The plain listener; empty where there is none.
    plain: str


class Traffic:
    """What goes between clients and machines."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._say = Complaints(self._write).say
        self._fleet = Fleet()
        self._queues = Queues()
        self._loads = Loads(parts.clock)
        self._chores = Chores("the proxy")
        self._ports_changed = asyncio.Event()
        apps, certificates = parts.apps, parts.certificates
        self._hosts = Hosts(
            apps.named, apps.__getitem__, certificates.holder, lambda: certificates.version
        )
        self._certificates = ServedCertificates(
            parts.home / "proxy",
            certificates.chain,
            self._is_app,
            lambda: certificates.version,
        )
        self._arrivals = self._make_arrivals()
        #: The `Router` of the engine.
        self.router = self._make_router()
        self._idling = self._make_idling()
        self._tcp = self._make_tcp()
        self._web = WebPorts(self._fleet, self.router.tls, self._say)
        self._doors = Doors(
            self._fleet, apps.all, parts.plain, lambda: parts.networks.are_there, self._say
        )
        parts.checks.observers.append(self._look_again)

    def _make_arrivals(self) -> Arrivals:
        parts = self._parts
        return Arrivals(
            Around(
                clock=parts.clock,
                checks=parts.checks,
                owner=parts.owner,
                addresses=parts.networks.addresses,
                socket_to=parts.networks.socket_to,
                say=self._say,
                changed=lambda: self.router.ready.changed(),
                ended=self._look_again,
            )
        )

    def _make_router(self) -> Dispatcher:
        return Dispatcher(
            self._fleet,
            self._hosts,
            self._loads,
            self._arrivals,
            self._queues,
            self._parts.checks,
            socket_to=self._parts.networks.socket_to,
            reaches=self._parts.networks.reaches,
            tls=lambda: self._certificates.context(ALPN),
            say=self._say,
        )

    def _make_idling(self) -> Idling:
        settings = self._parts.settings
        return Idling(
            self._fleet,
            self._loads,
            self._parts.clock,
            app=self._parts.apps.__getitem__,
            owner=self._parts.owner,
            is_held=self._is_held,
            idle_after_s=settings.idle_timeout_s,
            region=settings.regions[0],
            say=self._say,
        )

    def _make_tcp(self) -> TcpServices:
        return TcpServices(
            self._fleet,
            self.router,
            app=self._parts.apps.__getitem__,
            addresses=self._own_addresses,
            tls=lambda: self._certificates.context(()),
            doubt=self._arrivals.doubt,
        )

    def open(self, records: Iterable[MachineRecord]) -> None:
        """Begin, with the machines that live when the server starts."""
        self._chores.begin(self._idling.run())
        self._chores.repeat(self._open_ports, lambda: asyncio.sleep(0))
        for record in records:
            self.moved(record)

    def moved(self, record: MachineRecord, _happened: Sequence[EventRecord] = ()) -> None:
        """Look at a machine that was written. What follows is done later, not inside the move."""
        before = self._fleet.state(record.app_id, record.id)
        if not self._fleet.moved(record):
            return
        self._changed(record.app_id)
        if record.state is State.DESTROYED:
            self._loads.forget(record.id)
            self._arrivals.forget(record.id)
        began = record.state is State.STARTED and before is not State.STARTED
        if began:
            self._loads.touch(record.id)
            asyncio.get_running_loop().call_soon(self._look_for, record)
        if before is None or record.state is State.DESTROYED or record.state is State.REPLACING:
            self._ports_changed.set()

    @property
    def arrivals_under_way(self) -> bool:
        """Whether any machine is being brought up."""
        return self._arrivals.are_under_way

    def load(self, machine_id: str) -> int:
        """Return how many requests and connections a machine has."""
        return self._loads.of_machine(machine_id)

    def stop_idle(self, app_id: str) -> None:
        """Stop what an app has too much of now, as is done by itself every now and then."""
        self._idling.look(app_id)

    def addresses_changed(self) -> None:
        """Look at the ports of services again: an app got or lost an address."""
        self._ports_changed.set()

    def serve_http(self, serve: Serve) -> None:
        """Have requests answered at the other ports at which apps offer HTTP.

        Args:
            serve: Returns what makes the protocol of each connection that a listener takes.
        """
        self._web.serve = self._doors.serve = serve
        self._ports_changed.set()

    def ports(self, app_id: str) -> list[ServedPort]:
        """Return the ports of an app that are its own: HTTP first, then those that pass bytes."""
        return [*self._web.ports(app_id), *self._tcp.ports(app_id)]

    def is_served(self, app_id: str, port: int, *, tls: bool) -> bool:
        """Whether an app takes requests of HTTP at an external port."""
        return bool(self._fleet.posts(app_id, port, tls=tls))

    def door(self, app: AppRecord) -> str:
        """Return a URL without a name at which machines find an app; empty where there is none."""
        return self._doors.url(app)

    def held(self, machine_id: str) -> int:
        """Return how many requests and connections a machine has now."""
        return self._loads.of_machine(machine_id)

    def authority(self) -> bytes:
        """Return the certificate of this computer's own authority, in PEM form.

        Raises:
            OSError, ValueError: its files cannot be used.
        """
        return self._certificates.authority().certificate_file.read_bytes()

    async def close(self) -> None:
        """End all that goes on, and hang up on the clients of ports that are not HTTP."""
        await self._chores.close()
        self._web.close()
        self._doors.close()
        self._tcp.close()
        await self._arrivals.close()

    async def _open_ports(self) -> None:
        """Open and close ports as machines say, once they have said something."""
        await self._ports_changed.wait()
        self._ports_changed.clear()
        await self._tcp.update()
        await self._web.update()
        await self._doors.update()

    def _look_for(self, record: MachineRecord) -> None:
        """See to it that it is known when a machine that was just started takes requests."""
        owner = self._parts.owner(record.id)
        if owner is None or owner.record.state is not State.STARTED:
            return
        for offer in self._fleet.offers(record.app_id, record.id):
            if offer.openings and not self._arrivals.addresses(record, offer.internal_port):
                self._arrivals.look_for(record, offer)

    def _look_again(self, machine_id: str) -> None:
        owner = self._parts.owner(machine_id)
        if owner:
            self._changed(owner.record.app_id)

    def _changed(self, app_id: str) -> None:
        """Have all look anew: a machine of an app may be another one to send requests to."""
        self.router.ready.changed()
        self._queues.wake_all(app_id)

    def _write(self, app_id: str, machine_id: str, region: str, level: str, message: str) -> None:
        self._parts.logs.say(app_id, machine_id, region, message, level, provider="proxy")

    def _is_app(self, name: str) -> bool:
        """Whether a host name is one of an app's."""
        try:
            self._hosts.app(name)
        except ProxyRefusal:
            return False
        return True

    def _is_held(self, machine_id: str) -> bool:
        """Whether a machine must be left alone: it is leased, or being brought up."""
        return bool(self._parts.leases.held(machine_id)) or self._arrivals.is_bringing(machine_id)

    def _own_addresses(self, app: AppRecord) -> list[str]:
        return [one.ip for one in self._parts.addresses.of(app) if one.type == "v4"]
