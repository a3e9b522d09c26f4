"""The owners of the machines that live, by machine and by app."""

from __future__ import annotations

from ephemera.platform import configs
from ephemera.platform.machines.owner import Owner
from ephemera.platform.records import MachineRecord


class Owners:
    """Every machine of a platform that is not destroyed."""

    def __init__(self) -> None:
        self._by_id: dict[str, Owner] = {}
        #: Of each app that has machines. Thousands of machines of others are not looked at.
        self._by_app: dict[str, dict[str, Owner]] = {}
        #: A name is one machine's within its app, for as long as that lives.
        self._by_name: dict[tuple[str, str], Owner] = {}

    def add(self, owner: Owner) -> None:
        """Hold a machine, the newest of its app."""
        machine_id = owner.record.id
        self._by_id[machine_id] = owner
        self._by_app.setdefault(owner.record.app_id, {})[machine_id] = owner
        self._by_name[owner.record.app_id, owner.record.name] = owner

    def drop(self, machine_id: str) -> None:
        """Hold it no longer. Repeating is safe."""
        owner = self._by_id.pop(machine_id, None)
        if owner is None:
            return
        del self._by_name[owner.record.app_id, owner.record.name]
        of_app = self._by_app[owner.record.app_id]
        del of_app[machine_id]
        if not of_app:
            del self._by_app[owner.record.app_id]

    def get(self, machine_id: str) -> Owner | None:
        """Return the owner of a machine that lives."""
        return self._by_id.get(machine_id)

    def named(self, app_id: str, name: str) -> Owner | None:
        """Return the owner of the machine that has this name in an app."""
        return self._by_name.get((app_id, name))

    def all(self) -> list[Owner]:
        """Return all of them, those that were added first at the front."""
        return list(self._by_id.values())

    def of(self, app_id: str) -> list[Owner]:
        """Return those of an app, those that were added first at the front."""
        return list(self._by_app.get(app_id, {}).values())

    def records(self, app_id: str) -> list[MachineRecord]:
        """Return the machines of an app, those that were added first at the front."""
        return [owner.record for owner in self.of(app_id)]

    def kill(self, machine_id: str, why: str) -> None:
        """Kill the program of a machine, if it lives and has one, for a reason its exit tells."""
        owner = self.get(machine_id)
        if owner:
            owner.kill(why)

    def running(self) -> dict[str, int]:
        """Return the machines that run, and what each may write to its file system; bytes."""
        return {
            owner.record.id: configs.rootfs_bytes(owner.record.config)
            for owner in self._by_id.values()
            if owner.has_program
        }

    def ids(self) -> set[str]:
        """Return the ids of all machines."""
        return set(self._by_id)
