"""Machines that stand by for others: created at rest, and started when one of those is lost.

On Fly.io a standby takes over when the host of a machine fails. Here all machines are on one
host; what comes nearest is an end that nobody saw, because the machine's monitor died with it
(exit code -1). A machine that its restart policy starts again is not lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Container, Iterable, Sequence

from ephemera.platform import refusals
from ephemera.platform.configs.fields import wrong
from ephemera.platform.records import EventRecord, MachineRecord
from ephemera.platform.states import State

_GONE = frozenset({State.DESTROYING, State.DESTROYED})
_UNSEEN = -1
#: A loss from before one of these is none that the standby is still to make good.
_BEGINNINGS = frozenset({"launch", "start", "update"})


def check(standbys: Sequence[str], machine_id: str, living: Container[str]) -> None:
    """Check that all machines that are stood by for are there.

    Args:
        machine_id: The one that stands by; empty where it is still to be created.
        living: The ids of the app's machines.

    Raises:
        Refusal: there is none, or it is the machine itself.
    """
    for number, watched in enumerate(standbys):
        where = f"config.standbys[{number}]"
        if watched == machine_id:
            raise refusals.invalid(f"{where}: a machine cannot stand by for itself")
        if watched not in living:
            raise wrong(where, watched, "is not a machine of this app")


class Standbys:
    """Knows who stands by for whom.

    Args:
        start: Has a machine started if it rests, by its id.
    """

    def __init__(self, start: Callable[[str], None]) -> None:
        self._start = start
        #: By the machine that stands by: those that it stands by for.
        self._watched: dict[str, tuple[str, ...]] = {}
        #: The same the other way round.
        self._standing_by: dict[str, set[str]] = {}

    def moved(self, record: MachineRecord, happened: Sequence[EventRecord] = ()) -> None:
        """Look at a machine that was written, or read when the server started."""
        standbys = () if record.state in _GONE else tuple(record.config.get("standbys") or ())
        if standbys != self._watched.get(record.id, ()):
            self._remember(record.id, standbys)
        if record.id in self._standing_by and any(map(is_loss, happened)):
            asyncio.get_running_loop().call_soon(self._take_over, record.id)

    def resume(self, events: Callable[[str], Iterable[EventRecord]]) -> None:
        """Do what a server that is gone had no time for.

        Args:
            events: Returns the events of a machine, newest first.
        """
        for standby, watched in list(self._watched.items()):
            since = max((one.id for one in events(standby) if one.type in _BEGINNINGS), default="")
            if any(one.id > since for other in watched for one in _loss(events(other))):
                self._start(standby)

    def _take_over(self, lost: str) -> None:
        for standby in sorted(self._standing_by.get(lost, ())):
            self._start(standby)

    def _remember(self, standby: str, watched: tuple[str, ...]) -> None:
        for one in self._watched.pop(standby, ()):
            self._standing_by[one].discard(standby)
            if not self._standing_by[one]:
                del self._standing_by[one]
        if watched:
            self._watched[standby] = watched
        for one in watched:
            self._standing_by.setdefault(one, set()).add(standby)


def is_loss(event: EventRecord) -> bool:
    """Whether an event says that the machine was lost: it ended unseen, for good, unasked."""
    said = (event.request or {}).get("exit_event") or {}
    unasked = not said.get("requested_stop") and not said.get("restarting")
    return event.type == "exit" and said.get("exit_code") == _UNSEEN and unasked


def _loss(newest_first: Iterable[EventRecord]) -> list[EventRecord]:
    """Return the event of its loss, if that is the last that the machine's programs did."""
    for event in newest_first:
        if event.type == "exit":
            return [event] if is_loss(event) else []
        if event.type in ("launch", "start"):
            return []
    return []
