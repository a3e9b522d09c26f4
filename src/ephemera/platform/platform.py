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
        self.logs = Logs(home / "logs", clock)
        self.leases = Leases(store, clock)
        self.versions = Versions(store.engine)
        self._store = store
        self.clock = clock
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
        self.sockets = Sockets(home / "api")
        #: Where apps are served.
        self.proxies = proxies
        self._reach = Reach(
            url,
            str(home),
            self.sockets.path,
            lambda: driver.capabilities.private_network,
            proxies.plain,
            lambda app: self.traffic.door(app),
        )
        #: Which apps there are.
        self.apps = Apps(AppStore(store.engine), clock)
        self.registry = Registry(home / "registry", self.apps, url, clock)
        access = AccessStore(store.engine)
        self.tokens = Tokens(access, self.apps.__contains__, clock)
        self.issuer = Issuer(access, self.vault, url, clock)
        edge = EdgeStore(store.engine)
        self.addresses = Addresses(edge, clock, settings.regions)
        self.certificates = Certificates(edge, self.vault, clock, self.apps.__contains__)
        self._owners = Owners()
        self.networks = PrivateNetworks(driver, self.apps, self._records, self._reach)
        belongings = Belongings(
            self.volumes,
            self.logs,
            self._secret_store,
            self.tokens,
            self.networks,
            self.registry,
            Builds(home, self.apps.is_taken),
        )
        self._removals = Removals(
            self.apps, lambda app: self._owners.of(app.id), belongings.take_away
        )
        self._unasked = Unasked(
            clock,
            self.logs,
            self._owners.get,
            self.networks.addresses,
            self.networks.socket_to,
        )
        self.traffic = Traffic(
            Parts(
                home,
                self.apps,
                self.networks,
                self.certificates,
                self.addresses,
                self._unasked.checks,
                self.leases,
                self.logs,
                clock,
                settings,
                self._owners.get,
                proxies.plain,
            )
        )
        #: Told of each write of any machine, once it is on disk.
        self.observers: list[Observer] = [
            self.sockets.moved,
            self._unasked.moved,
            self.traffic.moved,
        ]
        self._hold = hold
        self._around = Surroundings(
            store,
            driver,
            self.logs,
            clock,
            self._boot_spec,
            self._forget,
            self._moved,
            self._unasked.checks.results,
            self._need_room,
            self._held if hold else None,
        )
        #: Finds machines.
        self.machines = Directory(self._owners, self.apps, self._around)
        self._watch = Watch(home, self._owners.running, driver.written, self._kill)
        self._forgetting = Forgetting(
            clock,
            [
                lambda: forget_destroyed(store.engine, clock()),
                lambda: forget_events(store.engine),
                self.volumes.forget_destroyed,
                self.tokens.forget_expired,
            ],
        )
        #: Makes machines, and checks what they are to be made of.
        self.creation = Creation(
            self._around,
            self._owners,
            self.leases,
            self.apps.__contains__,
            self.volumes.mounting.place,
            self.registry.check_use,
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

    # apps

    async def delete_app(self, name: str, *, force: bool) -> None:
        """Delete an app with everything that it has.

        Its name is free as soon as this is written down. What is not gone after half a minute
        goes later, also when the server is killed before.

        Raises:
            Refusal: there is none, or it has machines that are not stopped and `force` is not
                given.
        """
        await self._removals.remove(self.apps.named(name), force=force, wait=_DELETE_WAIT_S)

    # machines

    def address(self, record: MachineRecord) -> str:
        """Return where the programs of a machine listen."""
        return self._reach.address(self.apps[record.app_id], record.id)

    def _records(self, app_id: str) -> list[MachineRecord]:
        return [owner.record for owner in self._owners.of(app_id)]

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

    def _kill(self, machine_id: str, why: str) -> None:
        owner = self._owners.get(machine_id)
        if owner:
            owner.kill(why)

    def _forget(self, record: MachineRecord) -> None:
        self._owners.drop(record.id)
        self.leases.drop(record.id)

    def _printed(self, machine_id: str) -> None:
        owner = self._owners.get(machine_id)
        if owner:
            self.logs.appended(owner.record.app_id)
