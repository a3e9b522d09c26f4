"""Making a machine: what was asked for is checked whole, written down, and begun."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ephemera.platform import configs, refusals
from ephemera.platform.machines import happenings, standbys
from ephemera.platform.machines.leases import Leases
from ephemera.platform.machines.owner import Owner
from ephemera.platform.machines.owners import Owners
from ephemera.platform.machines.schedules import next_run
from ephemera.platform.machines.surroundings import Surroundings
from ephemera.platform.records import AppRecord, LeaseRecord, MachineRecord
from ephemera.platform.states import State
from ephemera.platform.store import NameTaken
from ephemera.wire.ids import new_machine_id, new_machine_name, new_ulid
from ephemera.wire.models import MachineConfig

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is asked for beside the config."""

    #: Empty for one that is made up.
    name: str = ""
    #: A region, or an expression of several; empty for the first there is.
    region: str = ""
    skip_launch: bool = False
    cordoned: bool = False
    #: Seconds of the lease that it is born with; 0 for none.
    lease_ttl: int = 0
    lease_owner: str = ""
    #: Which version of the app's secrets it sees; 0 for none of them.
    secrets_version: int = 0


class Creation:
    """Makes the machines of a platform.

    Args:
        lives: Whether the app with this id lives.
        place: Says in which region a machine is made, from its app, its config and a region
            expression; a `Refusal` where it can be in none.
        check_image: Refuses an image that the machines of an app may not have.
    """

    def __init__(
        self,
        around: Surroundings,
        owners: Owners,
        leases: Leases,
        lives: Callable[[str], bool],
        place: Callable[[AppRecord, Mapping[str, Any], str], str],
        check_image: Callable[[AppRecord, str], None],
    ) -> None:
        self._around = around
        self._owners = owners
        self._leases = leases
        self._lives = lives
        self._place = place
        self._check_image = check_image

    def create(
        self, app: AppRecord, config: MachineConfig, wish: Wish
    ) -> tuple[Owner, LeaseRecord | None]:
        """Write down a new machine and have it started, once this has been answered.

        Raises:
            Refusal: the config is wrong, a machine of the app has the name, the disk is nearly
                full, or the app was deleted since it was looked up.
        """
        if not self._lives(app.id):
            raise refusals.app_not_found()
        self._around.need_room()
        name = self._checked_name(app, wish.name)
        record = self._record(app, config, name, wish)
        happened = [happenings.created(record.id, record.created_at)]
        lease = self._lease(record, wish)
        try:
            self._around.store.add_machine(record, happened, lease)
        except NameTaken:
            raise refusals.machine_name_taken(name, self._id_of(app, name)) from None
        if lease:
            self._leases.remember(lease)
        owner = Owner(record, self._around, happened)
        self._owners.add(owner)
        self._around.moved(record, happened)
        owner.begin_soon()
        return owner, lease

    def checked(
        self, app: AppRecord, config: MachineConfig, machine_id: str = ""
    ) -> dict[str, Any]:
        """Return the config of a machine as it is stored, complete and in the API's own form.

        Args:
            machine_id: Whose it is to be; empty where the machine is still to be created.

        Raises:
            Refusal: it is wrong, or cannot be honoured.
        """
        driver = self._around.driver
        stored = configs.checked(config, driver.capabilities, driver.name)
        self._check_image(app, stored["image"])
        if config.standbys:
            living = {owner.record.id for owner in self._owners.of(app.id)}
            owner = self._owners.get(machine_id)
            before = owner.record.config.get("standbys") if owner else None
            standbys.check(config.standbys, machine_id, living.union(before or ()))
        return stored

    def _record(
        self, app: AppRecord, config: MachineConfig, name: str, wish: Wish
    ) -> MachineRecord:
        stored = self.checked(app, config)
        now = self._around.clock()
        return MachineRecord(
            id=new_machine_id(),
            app_id=app.id,
            name=name,
            state=State.CREATED,
            generation=1,
            region=self._place(app, stored, wish.region),
            instance_id=new_ulid(),
            config=stored,
            launch=not wish.skip_launch and not stored.get("standbys"),
            cordoned=wish.cordoned,
            boot=0,
            handle="",
            stop_signal=None,
            stop_by=None,
            restarts=[],
            log_from=str(self._around.logs.end(app.id)),
            created_at=now,
            updated_at=now,
            secrets_version=wish.secrets_version,
            run_at=next_run(stored.get("schedule"), now, now),
        )

    def _lease(self, record: MachineRecord, wish: Wish) -> LeaseRecord | None:
        if not wish.lease_ttl:
            return None
        return self._leases.new(record.id, record.instance_id, wish.lease_ttl, wish.lease_owner)

    def _checked_name(self, app: AppRecord, name: str) -> str:
        if not name:
            return self._unused_name(app)
        if not _NAME.fullmatch(name):
            raise refusals.invalid(
                f"machine name {name[:80]!r} is not letters, digits and _ . -, 255 at most"
            )
        return name

    def _unused_name(self, app: AppRecord) -> str:
        """Return a name that no machine of the app has; two of a thousand would soon share one."""
        while self._id_of(app, name := new_machine_name()):
            pass
        return name

    def _id_of(self, app: AppRecord, name: str) -> str:
        owner = self._owners.named(app.id, name)
        return owner.record.id if owner else ""
