"""The platform without HTTP: apps, their machines, and who may change them.

It holds every app and every machine that lives in memory, as the store has them; destroyed
machines are read from the store. Routes call it, it calls owners.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ephemera.platform import boots, configs, happenings, refusals, waiting
from ephemera.platform.boots import Reach
from ephemera.platform.drivers.base import BootSpec, Driver
from ephemera.platform.leases import Leases
from ephemera.platform.logs import Logs
from ephemera.platform.machine import Owner, Surroundings
from ephemera.platform.records import AppRecord, LeaseRecord, MachineRecord
from ephemera.platform.states import LIVE, State
from ephemera.platform.store import NameTaken, Store
from ephemera.wire.ids import new_app_id, new_machine_id, new_machine_name, new_ulid
from ephemera.wire.models import MachineConfig

DEFAULT_REGION = "local"
_APP_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_MACHINE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}")
#: How long a destroyed machine is remembered. Looked at when a server starts.
_DESTROYED_KEPT_S = 7 * 24 * 3600.0
#: The longest name of an organisation or network that the store has room for.
_ORG_CHARS_MAX, _NETWORK_CHARS_MAX = 63, 255
#: How long a forced deletion of an app waits for its machines to be gone.
_DELETE_WAIT_S = 30.0


class Platform:
    """Everything that lives on one embedded platform."""

    def __init__(
        self,
        store: Store,
        driver: Driver,
        home: Path,
        url: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.driver = driver
        self.logs = Logs(home / "logs", clock)
        self.leases = Leases(store, clock)
        self._store = store
        self._clock = clock
        self._reach = Reach(url, str(home))
        self._apps: dict[str, AppRecord] = {}
        self._by_name: dict[str, AppRecord] = {}
        self._owners: dict[str, Owner] = {}
        self._around = Surroundings(store, driver, self.logs, clock, self._boot_spec, self._forget)

    async def open(self) -> None:
        """Read the store and go on with whatever was under way.

        Raises:
            DriverError: the driver cannot run here.
        """
        self._store.forget_machines(self._clock() - _DESTROYED_KEPT_S)
        for app in self._store.apps():
            self._add(app)
        for record in self._store.live_machines():
            self._owners[record.id] = Owner(record, self._around)
        await self.driver.open(self._printed)
        for stray in await self.driver.machines() - self._owners.keys():
            await self.driver.destroy(stray)
        for owner in list(self._owners.values()):
            owner.resume()

    def release(self) -> None:
        """Send away all who wait, so that the server can stop."""
        self.logs.release()
        for owner in self._owners.values():
            owner.ledger.release()

    async def close(self) -> None:
        """Let go of all machines without touching them, and of all who wait."""
        self.release()
        await asyncio.gather(*(owner.close() for owner in self._owners.values()))
        await self.driver.close()

    # apps

    def apps(self, org_slug: str) -> list[AppRecord]:
        """Return the apps of an organisation, oldest first."""
        return [app for app in self._apps.values() if app.org_slug == org_slug]

    def app(self, name: str) -> AppRecord:
        """Return an app by its name.

        Raises:
            Refusal: there is none.
        """
        try:
            return self._by_name[name]
        except KeyError:
            raise refusals.app_not_found() from None

    def create_app(self, name: str, org_slug: str, network: str) -> AppRecord:
        """Create an app.

        Raises:
            Refusal: the name is taken or not one.
        """
        if not _APP_NAME.fullmatch(name):
            raise refusals.app_name_invalid()
        if len(org_slug) > _ORG_CHARS_MAX or len(network) > _NETWORK_CHARS_MAX:
            raise refusals.invalid(
                f"org_slug has at most {_ORG_CHARS_MAX} characters, network {_NETWORK_CHARS_MAX}"
            )
        app = AppRecord(new_app_id(), name, org_slug, network, self._clock())
        try:
            self._store.add_app(app)
        except NameTaken:
            raise refusals.app_name_taken() from None
        self._add(app)
        return app

    async def delete_app(self, name: str, *, force: bool) -> None:
        """Delete an app with its machines.

        Raises:
            Refusal: it has machines that are not stopped, and `force` is not given.
        """
        app = self.app(name)
        busy = [owner for owner in self._of(app) if owner.record.state in LIVE]
        if busy and not force:
            raise refusals.app_has_machines(len(busy))
        while owners := list(self._of(app)):  # more may be made while these are destroyed
            for owner in owners:
                owner.ask_destroy(force=True)
            for owner in owners:
                await waiting.reach(owner, frozenset({State.DESTROYED}), "", _DELETE_WAIT_S)
        self._store.delete_app(app.id, self._clock())
        self._apps.pop(app.id, None)
        self._by_name.pop(app.name, None)

    def _add(self, app: AppRecord) -> None:
        self._apps[app.id] = app
        self._by_name[app.name] = app

    # machines

    def create_machine(
        self,
        app: AppRecord,
        config: MachineConfig,
        *,
        name: str,
        region: str,
        skip_launch: bool,
        lease_ttl: int,
        lease_owner: str,
    ) -> tuple[Owner, LeaseRecord | None]:
        """Write down a new machine and have it started, once this has been answered.

        Raises:
            Refusal: the config is wrong, a machine of the app has the name, or the app was
                deleted since it was looked up.
        """
        if app.id not in self._apps:
            raise refusals.app_not_found()
        name = name or new_machine_name()
        if not _MACHINE_NAME.fullmatch(name):
            raise refusals.invalid(
                f"machine name {name[:80]!r} is not letters, digits, dots, dashes and underscores"
            )
        stored = configs.checked(config, self.driver.capabilities, self.driver.name)
        record = self._new_record(app, stored, name, region, launch=not skip_launch)
        happened = [happenings.created(record.id, record.created_at)]
        lease = None
        if lease_ttl:
            lease = self.leases.new(record.id, record.instance_id, lease_ttl, lease_owner)
        try:
            self._store.add_machine(record, happened, lease)
        except NameTaken:
            raise refusals.machine_name_taken(name, self._id_of(app, name)) from None
        if lease:
            self.leases.remember(lease)
        owner = self._owners[record.id] = Owner(record, self._around, happened)
        owner.begin_soon()
        return owner, lease

    def _new_record(
        self, app: AppRecord, config: dict[str, Any], name: str, region: str, *, launch: bool
    ) -> MachineRecord:
        now = self._clock()
        return MachineRecord(
            id=new_machine_id(),
            app_id=app.id,
            name=name,
            state=State.CREATED,
            generation=1,
            region=_checked_region(region),
            instance_id=new_ulid(),
            config=config,
            launch=launch,
            boot=0,
            handle="",
            stop_signal=None,
            stop_by=None,
            restarts=[],
            log_from=str(self.logs.end(app.id)),
            created_at=now,
            updated_at=now,
        )

    def owner(self, app: AppRecord, machine_id: str) -> Owner:
        """Return the owner of a machine of this app; of a destroyed one, an idle owner.

        Raises:
            Refusal: the app has and had no such machine.
        """
        owner = self._owners.get(machine_id)
        if owner and owner.record.app_id == app.id:
            return owner
        record = self._store.machine(app.id, machine_id)
        if record is None:
            raise refusals.machine_not_found()
        return Owner(record, self._around)

    def owners(self, app: AppRecord, *, include_deleted: bool = False) -> list[Owner]:
        """Return the owners of an app's machines, oldest machine first."""
        living = list(self._of(app))
        if not include_deleted:
            return living
        gone = self._store.destroyed_machines(app.id)
        return [*(Owner(record, self._around) for record in gone), *living]

    def counts(self) -> dict[str, int]:
        """Return how many machines there are in each state."""
        found: dict[str, int] = {}
        for owner in self._owners.values():
            found[owner.record.state] = found.get(owner.record.state, 0) + 1
        return found

    def _of(self, app: AppRecord) -> Iterator[Owner]:
        return (owner for owner in self._owners.values() if owner.record.app_id == app.id)

    def _id_of(self, app: AppRecord, name: str) -> str:
        named = (owner.record for owner in self._of(app) if owner.record.name == name)
        return next((record.id for record in named), "")

    # what owners need

    def _boot_spec(self, record: MachineRecord) -> BootSpec:
        app = self._apps[record.app_id]
        return boots.spec(app, record, self._reach, self.logs.folder(app.id))

    def _forget(self, record: MachineRecord) -> None:
        self._owners.pop(record.id, None)
        self.leases.drop(record.id)

    def _printed(self, machine_id: str) -> None:
        owner = self._owners.get(machine_id)
        if owner:
            self.logs.appended(owner.record.app_id)


def _checked_region(region: str) -> str:
    """Return the region of a new machine: there is one, and every expression leads to it."""
    if region and not re.fullmatch(r"[a-z0-9]+(,[a-z0-9]+)*", region):
        raise refusals.invalid(f"region {region[:80]!r} is not a region code")
    return DEFAULT_REGION
