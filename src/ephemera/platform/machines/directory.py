"""The machines of a platform, as callers look for them.

Those that live are in memory, with their owners. Destroyed ones are read from the store, for as
long as it remembers them; their owners have nothing to do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ephemera.platform import orgs, refusals
from ephemera.platform.apps.registry import Apps
from ephemera.platform.machines.owner import Owner
from ephemera.platform.machines.owners import Owners
from ephemera.platform.machines.surroundings import Surroundings
from ephemera.platform.orgs import Page, Wanted
from ephemera.platform.records import AppRecord, MachineRecord
from ephemera.platform.registry import needs


class Directory:
    """Finds machines."""

    def __init__(self, owners: Owners, apps: Apps, around: Surroundings) -> None:
        self._owners = owners
        self._apps = apps
        self._around = around
        self._store = around.store

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

    def located(self, machine_id: str) -> tuple[AppRecord, MachineRecord]:
        """Return a machine that is not destroyed by its id alone, with its app.

        Raises:
            Refusal: there is none.
        """
        owner = self._owners.get(machine_id)
        if owner is None:
            raise refusals.machine_not_found()
        return self._apps[owner.record.app_id], owner.record

    def owners(self, app: AppRecord, *, include_deleted: bool = False) -> list[Owner]:
        """Return the owners of an app's machines, oldest machine first."""
        living = self._owners.of(app.id)
        if not include_deleted:
            return living
        gone = self._store.destroyed_machines(app.id)
        return [*(Owner(record, self._around) for record in gone), *living]

    def counts(self) -> dict[str, int]:
        """Return how many machines there are in each state."""
        found: dict[str, int] = {}
        for owner in self._owners.all():
            found[owner.record.state] = found.get(owner.record.state, 0) + 1
        return found

    def images_named(self) -> Iterator[str]:
        """Yield the images that machines, and releases that may come back, are of."""
        for owner in self._owners.all():
            yield from needs.images(owner.record)

    def page(
        self, apps: Sequence[AppRecord], wanted: Wanted, *, include_deleted: bool
    ) -> Page[MachineRecord]:
        """Return a page of the machines of several apps."""
        living = (owner.record for app in apps for owner in self._owners.of(app.id))
        gone: list[MachineRecord] = []
        if include_deleted:
            ids = [app.id for app in apps]
            gone = self._store.destroyed_after(ids, wanted.after, wanted.region, wanted.limit + 1)
        return orgs.page((*living, *gone), wanted)
