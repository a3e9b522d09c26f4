"""The machines that offer something, by app, as the store has them. Job machines are not in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ephemera.platform.proxy.offers import Offer, Opening, offers
from ephemera.platform.records import MachineRecord
from ephemera.platform.states import State


@dataclass(slots=True)
class Member:
    """A machine, and what it offers in its current version."""

    record: MachineRecord
    offers: tuple[Offer, ...]


@dataclass(frozen=True, slots=True)
class Post:
    """One service of a machine, and how it takes requests at one external port."""

    member: Member
    offer: Offer
    opening: Opening

    @property
    def record(self) -> MachineRecord:
        """The machine as it is written down."""
        return self.member.record


class Fleet:
    """All machines with services that are not destroyed."""

    def __init__(self) -> None:
        self._members: dict[str, dict[str, Member]] = {}
        #: What was worked out since a machine of the app last got another version.
        self._posts: dict[str, dict[tuple[int, bool], Sequence[Post]]] = {}

    def moved(self, record: MachineRecord) -> bool:
        """Note a machine that was written; return whether it is one of these, or was."""
        members = self._members.get(record.app_id, {})
        member = members.get(record.id)
        if member:
            anew = member.record.instance_id != record.instance_id
            member.record = record  # seats that are held look at it, whatever becomes of it here
            if not anew and record.state is not State.DESTROYED:
                return True
        elif record.state is State.DESTROYED or not record.config.get("services"):
            return False
        self._change(record)
        return True

    def _change(self, record: MachineRecord) -> None:
        """Note a machine that is new, has another version, or is gone."""
        members = self._members.setdefault(record.app_id, {})
        self._posts.pop(record.app_id, None)
        if record.state is not State.DESTROYED:
            members[record.id] = Member(record, offers(record))
            return
        del members[record.id]
        if not members:
            del self._members[record.app_id]

    def state(self, app_id: str, machine_id: str) -> State | None:
        """Return the state of one of these machines; None where it is none of them."""
        member = self._members.get(app_id, {}).get(machine_id)
        return member.record.state if member else None

    def offers(self, app_id: str, machine_id: str) -> tuple[Offer, ...]:
        """Return what a machine offers."""
        member = self._members.get(app_id, {}).get(machine_id)
        return member.offers if member else ()

    def apps(self) -> Iterable[str]:
        """Return the ids of the apps that have such machines."""
        return list(self._members)

    def of(self, app_id: str) -> list[Member]:
        """Return those of an app, oldest first."""
        return list(self._members.get(app_id, {}).values())

    def posts(self, app_id: str, port: int, *, tls: bool) -> Sequence[Post]:
        """Return what takes requests of HTTP for an app at an external port, oldest first."""
        known = self._posts.setdefault(app_id, {})
        found = known.get((port, tls))
        if found is None:
            found = known[port, tls] = [
                Post(member, offer, opening)
                for member in self.of(app_id)
                for offer in member.offers
                if (opening := offer.http(port, tls=tls))
            ]
        return found
