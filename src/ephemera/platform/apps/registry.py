"""Which apps there are, in memory as the store has them.

```
create ──► it lives: found by its name ──leave──► it leaves: found by its id only ──forget──► gone
```

An app that leaves has given its name back already, so that a new app may have it; its machines
still need it until the last of them is destroyed.
"""

from __future__ import annotations

from dataclasses import replace

from ephemera.platform import refusals
from ephemera.platform.apps import names
from ephemera.platform.apps.store import AppStore
from ephemera.platform.clock import Clock
from ephemera.platform.edge import networks
from ephemera.platform.records import AppRecord
from ephemera.platform.store import NameTaken
from ephemera.wire.ids import new_app_id


class Apps:
    """The apps of one platform."""

    def __init__(self, store: AppStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._by_id: dict[str, AppRecord] = {}
        self._by_name: dict[str, AppRecord] = {}

    def open(self) -> list[AppRecord]:
        """Read the store; return the apps whose deletion a server that is gone had begun."""
        for app in self._store.living():
            self._by_id[app.id] = self._by_name[app.name] = app
        leaving = self._store.leaving()
        self._by_id |= {app.id: app for app in leaving}
        return leaving

    def all(self) -> list[AppRecord]:
        """Return all apps, those that leave too."""
        return list(self._by_id.values())

    def of_org(self, org_slug: str) -> list[AppRecord]:
        """Return the apps of an organisation that live, oldest first."""
        return [app for app in self._by_name.values() if app.org_slug == org_slug]

    def orgs(self) -> set[str]:
        """Return the organisations that have apps which live."""
        return {app.org_slug for app in self._by_name.values()}

    def named(self, name: str) -> AppRecord:
        """Return an app that lives.

        Raises:
            Refusal: none has this name.
        """
        try:
            return self._by_name[name]
        except KeyError:
            raise refusals.app_not_found() from None

    def __getitem__(self, app_id: str) -> AppRecord:
        """Return the app with an id, also while it leaves."""
        return self._by_id[app_id]

    def __contains__(self, app_id: str) -> bool:
        """Whether an app lives: new things may be made in it."""
        app = self._by_id.get(app_id)
        return app is not None and self._by_name.get(app.name) is app

    def is_taken(self, name: str) -> bool:
        """Return whether an app that lives has a name."""
        return name in self._by_name

    def create(self, name: str, org_slug: str, network: str) -> AppRecord:
        """Create an app.

        Raises:
            Refusal: the name is taken or not one, or so is that of its organisation or network.
        """
        names.check_app(name)
        names.check_org_slug(org_slug)
        names.check_network(network)
        app = AppRecord(new_app_id(), name, org_slug, network, self._clock())
        app = replace(app, outside=all(other.outside for other in self.sharing(app)))
        try:
            self._store.add(app)
        except NameTaken:
            raise refusals.app_name_taken() from None
        self._by_id[app.id] = self._by_name[app.name] = app
        return app

    def sharing(self, app: AppRecord) -> list[AppRecord]:
        """Return all apps in the private network of an app, those that leave too."""
        network = networks.of_app(app)
        return [other for other in self._by_id.values() if networks.of_app(other) == network]

    def set_outside(self, app: AppRecord, *, outside: bool) -> None:
        """Write down whether the machines of an app's private network may reach the world."""
        changed = [replace(other, outside=outside) for other in self.sharing(app)]
        self._store.set_outside([other.id for other in changed], outside=outside)
        for other in changed:
            if other.id in self:
                self._by_name[other.name] = other
            self._by_id[other.id] = other

    def leave(self, app: AppRecord) -> None:
        """Write down that an app is to go. From now on nobody finds it, and its name is free."""
        self._store.leave(app.id, self._clock())
        del self._by_name[app.name]

    def forget(self, app: AppRecord) -> None:
        """Delete every row of an app that has left."""
        self._store.purge(app.id)
        self._by_id.pop(app.id, None)
