"""The platform without HTTP: apps, their machines, and who may change them.

It holds every app and every machine that lives in memory, as the store has them; destroyed
machines are read from the store. Routes call it, it calls owners.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from ephemera.platform import refusals
from ephemera.platform.access.oidc import Issuer
from ephemera.platform.access.sockets import Sockets
from ephemera.platform.access.store import AccessStore
from ephemera.platform.access.tokens import Tokens
from ephemera.platform.apps.belongings import Belongings
from ephemera.platform.apps.builds import Builds
from ephemera.platform.apps.registry import Apps
from ephemera.platform.apps.removal import Removals
from ephemera.platform.apps.store import AppStore
from ephemera.platform.clock import Clock, SystemClock
from ephemera.platform.drivers.base import BootSpec, Driver
from ephemera.platform.edge.addresses import Addresses
from ephemera.platform.edge.certificates import Certificates
from ephemera.platform.edge.private import PrivateNetworks
from ephemera.platform.edge.store import EdgeStore
from ephemera.platform.forgetting import Forgetting
from ephemera.platform.images.keeping import keeper
from ephemera.platform.logs import Logs
from ephemera.platform.machines import boots
from ephemera.platform.machines.boots import Reach
from ephemera.platform.machines.creation import Creation
from ephemera.platform.machines.directory import Directory
from ephemera.platform.machines.forgetting import forget_destroyed, forget_events
from ephemera.platform.machines.leases import Leases
from ephemera.platform.machines.ledger import Ledger, Observer
from ephemera.platform.machines.owner import Owner
from ephemera.platform.machines.owners import Owners
from ephemera.platform.machines.room import Watch, space
from ephemera.platform.machines.surroundings import Surroundings
from ephemera.platform.machines.unasked import Unasked
from ephemera.platform.machines.versions import Versions
from ephemera.platform.ownlog import turn_over
from ephemera.platform.proxy.traffic import Parts, Traffic
from ephemera.platform.proxy.urls import ProxyUrls
from ephemera.platform.records import EventRecord, MachineRecord
from ephemera.platform.registry.registry import Registry
from ephemera.platform.secrets.appsecrets import Secrets
from ephemera.platform.secrets.keys import SecretKeys
from ephemera.platform.secrets.store import SecretStore
from ephemera.platform.settings import Settings
from ephemera.platform.store import Store
from ephemera.platform.volumes.service import Volumes

#: How long the deletion of an app is waited for before it is answered.
_DELETE_WAIT_S = 30.0


class Platform:
    """Everything that lives on one embedded platform."""

    def __init__(
        self,
        store: Store,
        driver: Driver,
        home: Path,
        url: str,
        settings: Settings = Settings(),  # noqa: B008 - a value
        clock: Clock | None = None,
        hold: Callable[[str, Ledger], Awaitable[None]] | None = None,
        proxies: ProxyUrls = ProxyUrls(),  # noqa: B008 - a value
    ) -> None:
        clock = clock or SystemClock()
        self.driver = driver
        self.settings = settings
        self.home = home
        self.clock = clock
        #: Where apps are served.
        self.proxies = proxies
        self._store = store
        self._hold = hold
        self._owners = Owners()
        # what apps have
        self.logs = Logs(home / "logs", clock)
        self.leases = Leases(store, clock)
        self.versions = Versions(store.engine)
        self._secret_store = SecretStore(store.engine)
        self.vault = self._secret_store.vault(home)
        self.secrets = Secrets(self._secret_store, self.vault, clock)
        self.secret_keys = SecretKeys(self._secret_store, self.vault, clock)
        self.volumes = Volumes(
            store.engine,
            home / "volumes",
            clock,
            self.logs,
            settings.regions,
            lambda: driver.capabilities.disks,
        )
        #: Which apps there are.
        self.apps = Apps(AppStore(store.engine), clock)
        self.registry = Registry(home / "registry", self.apps, url, clock)
        # who gets in, and how they and machines reach each other
        access, edge = AccessStore(store.engine), EdgeStore(store.engine)
        self.tokens = Tokens(access, self.apps.__contains__, clock)
        self.issuer = Issuer(access, self.vault, url, clock)
        self.addresses = Addresses(edge, clock, settings.regions)
        self.certificates = Certificates(edge, self.vault, clock, self.apps.__contains__)
        self.sockets = Sockets(home / "api")
        self._reach = self._make_reach(url)
        self.networks = PrivateNetworks(driver, self.apps, self._owners.records, self._reach)
        # what acts on machines, and on what they do
        self._removals = self._make_removals()
        self._unasked = Unasked(
            clock, self.logs, self._owners.get, self.networks.addresses, self.networks.socket_to
        )
        self.traffic = self._make_traffic()
        #: Told of each write of any machine, once it is on disk.
        self.observers: list[Observer] = [
            self.sockets.moved,
            self._unasked.moved,
            self.traffic.moved,
        ]
        self._around = self._make_surroundings()
        #: Finds machines.
        self.machines = Directory(self._owners, self.apps, self._around)
        #: Makes machines, and checks what they are to be made of.
        self.creation = Creation(
            self._around,
            self._owners,
            self.leases,
            self.apps.__contains__,
            self.volumes.mounting.place,
            self.registry.check_use,
        )
        self._watch = Watch(home, self._owners.running, driver.written, self._owners.kill)
        self._forgetting = self._make_forgetting()

    def _make_reach(self, url: str) -> Reach:
        return Reach(
            url,
            str(self.home),
            socket=self.sockets.path,
            private=lambda: self.driver.capabilities.private_network,
            proxy=self.proxies.plain,
            door=lambda app: self.traffic.door(app),
        )

    def _make_removals(self) -> Removals:
        belongings = Belongings(
            self.volumes,
            self.logs,
            self._secret_store,
            self.tokens,
            self.networks,
            self.registry,
            Builds(self.home, self.apps.is_taken),
        )
        return Removals(self.apps, lambda app: self._owners.of(app.id), belongings.take_away)

    def _make_traffic(self) -> Traffic:
        return Traffic(
            Parts(
                home=self.home,
                apps=self.apps,
                networks=self.networks,
                certificates=self.certificates,
                addresses=self.addresses,
                checks=self._unasked.checks,
                leases=self.leases,
                logs=self.logs,
                clock=self.clock,
                settings=self.settings,
                owner=self._owners.get,
                plain=self.proxies.plain,
            )
        )

    def _make_surroundings(self) -> Surroundings:
        return Surroundings(
            store=self._store,
            driver=self.driver,
            logs=self.logs,
            clock=self.clock,
            boot_spec=self._boot_spec,
            forget=self._forget,
            moved=self._moved,
            check_results=self._unasked.checks.results,
            need_room=self._need_room,
            hold=self._held if self._hold else None,
        )

    def _make_forgetting(self) -> Forgetting:
        engine = self._store.engine
        return Forgetting(
            self.clock,
            [
                lambda: forget_destroyed(engine, self.clock()),
                lambda: forget_events(engine),
                self.volumes.forget_destroyed,
                self.tokens.forget_expired,
                self.registry.uploads.drop_idle,
                lambda: turn_over(self.home / "platform.log"),
            ],
        )

    async def open(self) -> None:
        """Read the store and go on with whatever was under way.

        Raises:
            DriverError: the driver cannot run here.
        """
        leaving = self.apps.open()
        for record in self._store.live_machines():
            self._owners.add(Owner(record, self._around))
        self.volumes.open()
        self.registry.open()
        if images := keeper(self.driver):
            images.images.own = self.registry
        await self.driver.open(self._printed)
        await self.networks.open()
        for stray in await self.driver.machines() - self._owners.ids():
            await self.driver.destroy(stray)
        self.sockets.open(owner.record for owner in self._owners.all())
        for owner in self._owners.all():
            owner.resume()
        self._unasked.open(self._owners.all())
        self._watch.open()
        self._forgetting.open()
        self.traffic.open(owner.record for owner in self._owners.all())
        for app in leaving:
            self._removals.begin(app)

    def release(self) -> None:
        """Send away all who wait, so that the server can stop."""
        self.logs.release()
        for owner in self._owners.all():
            owner.ledger.release()

    async def close(self) -> None:
        """Let go of all machines without touching them, and of all who wait."""
        self.release()
        await self._forgetting.close()
        await self._watch.close()
        await self._removals.close()
        await self.volumes.close()
        await self.traffic.close()
        await asyncio.gather(*(owner.close() for owner in self._owners.all()))
        await self._unasked.close()
        await self.sockets.stop()
        await self.networks.close()
        await self.driver.close()

    async def delete_app(self, name: str, *, force: bool) -> None:
        """Delete an app with everything that it has.

        Its name is free as soon as this is written down. What is not gone after half a minute
        goes later, also when the server is killed before.

        Raises:
            Refusal: there is none, or it has machines that are not stopped and `force` is not
                given.
        """
        await self._removals.remove(self.apps.named(name), force=force, wait=_DELETE_WAIT_S)

    def address(self, record: MachineRecord) -> str:
        """Return where the programs of a machine listen."""
        return self._reach.address(self.apps[record.app_id], record.id)

    # what owners need

    def _boot_spec(self, record: MachineRecord) -> BootSpec:
        app = self.apps[record.app_id]
        secrets = self.secrets.environment(app.id, record.secrets_version)
        mounts = self.volumes.mounting.mounts(record)
        return boots.spec(app, record, self._reach, self.logs.folder(app.id), secrets, mounts)

    def _moved(self, record: MachineRecord, happened: Sequence[EventRecord]) -> None:
        """Tell those who act on what machines do. None of them moves a machine inside the move."""
        for observe in self.observers:
            observe(record, happened)

    async def _held(self, ledger: Ledger) -> None:
        assert self._hold
        await self._hold(self.apps[ledger.record.app_id].name, ledger)

    def _need_room(self) -> None:
        now = space(self.home)
        if now.is_short:
            raise refusals.no_room(str(now))

    def _forget(self, record: MachineRecord) -> None:
        self._owners.drop(record.id)
        self.leases.drop(record.id)

    def _printed(self, machine_id: str) -> None:
        owner = self._owners.get(machine_id)
        if owner:
            self.logs.appended(owner.record.app_id)
