"""Stopping the machines that have nothing to do: a look at all of them, every now and then."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator

from sqlalchemy.exc import OperationalError

from ephemera.errors import IllegalMove
from ephemera.platform import configs
from ephemera.platform.clock import Clock, sleep
from ephemera.platform.machines.owner import Owner
from ephemera.platform.proxy.excess import Excess, Running, excess
from ephemera.platform.proxy.fleet import Fleet, Member
from ephemera.platform.proxy.load import Loads
from ephemera.platform.proxy.offers import Offer
from ephemera.platform.records import AppRecord, MachineRecord
from ephemera.platform.refusals import Refusal
from ephemera.platform.states import State
from ephemera.wire.durations import parse_duration

_log = logging.getLogger(__name__)

#: Metadata of a machine: it has something to do that nobody sees from outside.
BUSY = "ephemera_busy"
#: Metadata of a machine: after how long it is idle, in the place of what the platform says.
IDLE_TIMEOUT = "ephemera_idle_timeout"
_GROUP, _GROUP_DEFAULT = "fly_process_group", "app"
_PRIMARY_REGION = "PRIMARY_REGION"
#: How often all are looked at: ten times in the time after which one is idle.
_LOOKS, _PAUSE_MIN_S, _PAUSE_MAX_S = 10, 0.1, 30.0


class Idling:
    """Stops or suspends machines that have nothing to do.

    Args:
        app: Returns an app by its id.
        owner: Returns who moves a machine that lives; None where there is none.
        is_held: Whether a machine must be left alone: it is leased, or being brought up.
        idle_after_s: After how long a machine is idle that does not say so itself.
        region: The primary region of apps that do not name one.
        say: Writes into an app's log: app, machine, region, level, message.
    """

    def __init__(
        self,
        fleet: Fleet,
        loads: Loads,
        clock: Clock,
        *,
        app: Callable[[str], AppRecord],
        owner: Callable[[str], Owner | None],
        is_held: Callable[[str], bool],
        idle_after_s: float,
        region: str,
        say: Callable[[str, str, str, str, str], None],
    ) -> None:
        self._fleet = fleet
        self._loads = loads
        self._clock = clock
        self._app = app
        self._owner = owner
        self._is_held = is_held
        self._idle_after_s = idle_after_s
        self._region = region
        self._say = say

    async def run(self) -> None:
        """Look at all machines again and again, until cancelled."""
        pause = min(max(self._idle_after_s / _LOOKS, _PAUSE_MIN_S), _PAUSE_MAX_S)
        while True:
            await sleep(self._clock, pause)
            for app_id in self._fleet.apps():
                try:
                    self.look(app_id)
                except Exception:  # noqa: BLE001 - the others are looked at all the same
                    _log.exception("app %s was not looked at: this is a defect", app_id)

    def look(self, app_id: str) -> None:
        """Stop what an app has too much of, at most one machine in each region and group."""
        members = {one.record.id: one for one in self._fleet.of(app_id)}
        primary = next((_primary(one.record) for one in members.values()), "") or self._region
        for one in excess(self._running(members.values()), primary):
            self._stop(members[one.machine_id], one, list(members.values()))

    def _running(self, members: Iterable[Member]) -> Iterator[Running]:
        for member in members:
            record = member.record
            if record.state is not State.STARTED:
                continue
            metadata = record.config.get("metadata") or {}
            if metadata.get(BUSY):
                self._loads.touch(record.id)
            may_stop = bool(mode(member.offers)) and not record.cordoned
            yield Running(
                id=record.id,
                group=metadata.get(_GROUP, _GROUP_DEFAULT),
                region=record.region,
                load=self._loads.of_machine(record.id),
                soft_limit=min((one.soft_limit for one in member.offers), default=1),
                idle_s=self._loads.idle_s(record.id),
                idle_after_s=self._idle_after(metadata),
                may_stop=may_stop and not metadata.get(BUSY) and not self._is_held(record.id),
                min_machines_running=max(
                    (one.min_machines_running for one in member.offers), default=0
                ),
            )

    def _idle_after(self, metadata: dict[str, str]) -> float:
        try:
            return max(0.0, parse_duration(metadata[IDLE_TIMEOUT]))
        except (KeyError, ValueError):
            return self._idle_after_s

    def _stop(self, member: Member, one: Excess, members: list[Member]) -> None:
        record, owner = member.record, self._owner(one.machine_id)
        if owner is None:
            return
        total = sum(
            other.record.region == one.region and _group(other.record) == one.group
            for other in members
        )
        left = (
            f"{one.left} out of {total} machines left running (region={one.region},"
            f" process group={one.group})"
        )
        try:
            if mode(member.offers) == "suspend" and _suspended(owner):
                self._tell(record, f"autosuspending machine {record.id}. {left}")
                return
            self._tell(record, f"autostopping machine {record.id}. {left}")
            stop = owner.config.stop_config
            owner.ask_stop(configs.stop_signal(stop), configs.stop_timeout_s(stop), "proxy")
        except (Refusal, IllegalMove, OperationalError) as error:
            why = f"the machine cannot be stopped: {error}"
            self._say(record.app_id, record.id, record.region, "error", why)

    def _tell(self, record: MachineRecord, done: str) -> None:
        said = f"App {self._app(record.app_id).name} has excess capacity, {done}"
        self._say(record.app_id, record.id, record.region, "info", said)


def mode(offers: tuple[Offer, ...]) -> str:
    """Return `stop` or `suspend` where all services of a machine allow it; empty where not."""
    modes = {one.autostop for one in offers if one.openings}
    if not modes or "off" in modes:
        return ""
    return "suspend" if modes == {"suspend"} else "stop"


def _suspended(owner: Owner) -> bool:
    """Ask for a machine to be suspended; return whether it can be."""
    try:
        owner.ask_suspend("proxy")
    except Refusal:  # it has too much memory, or the driver cannot
        return False
    return True


def _group(record: MachineRecord) -> str:
    metadata = record.config.get("metadata") or {}
    return str(metadata.get(_GROUP, _GROUP_DEFAULT))


def _primary(record: MachineRecord) -> str:
    return str((record.config.get("env") or {}).get(_PRIMARY_REGION, ""))
