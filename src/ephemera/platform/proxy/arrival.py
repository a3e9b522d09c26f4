"""Bringing one machine up: started if it rests, and waited for until it takes requests.

```
at rest ──ask_start──► starting ──► started ──connect──► listens ──checks──► takes requests
   ▲  stopping: waited for   │          │ it ends: it crashed    │ it never does: says where it does
```
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy.exc import OperationalError

from ephemera.errors import IllegalMove
from ephemera.platform.checks.watching import Checks, Standing
from ephemera.platform.clock import Clock
from ephemera.platform.dialing import SocketTo
from ephemera.platform.machines.owner import Owner
from ephemera.platform.proxy import listening
from ephemera.platform.proxy.offers import Offer
from ephemera.platform.proxy.routing import ProxyRefusal
from ephemera.platform.records import MachineRecord
from ephemera.platform.refusals import Refusal
from ephemera.platform.states import State

#: How long a program has, from the start of its machine, until it listens and its checks pass.
UP_WITHIN_S = 60.0
#: When it is looked where else a program listens that does not where it should. At first only one
#: is given up that has the right port at the wrong address; later any that has opened others.
_LOOK_AFTER_S, _GIVE_UP_AFTER_S = 3.0, 15.0
#: How long it takes at most until it is seen that a program listens.
_STEP_FIRST_S, _STEP_LAST_S = 0.002, 0.05
#: Fly's code for a start that came to nothing because it was not wanted any more.
CANCELLED = "PM10"
#: A long poll; it is asked again.
_POLL_S = 60.0
_SETTLED = frozenset(
    {
        State.STARTED,
        State.SUSPENDED,
        State.STOPPED,
        State.FAILED,
        State.DESTROYING,
        State.DESTROYED,
    }
)
_AT_REST = frozenset({State.SUSPENDED, State.STOPPED, State.FAILED})


@dataclass(frozen=True, slots=True)
class Around:
    """What is needed of the platform to bring machines up."""

    clock: Clock
    checks: Checks
    #: Returns who moves a machine that lives; None where there is none.
    owner: Callable[[str], Owner | None]
    #: Returns where the programs of a machine may listen, and by which socket that is reached.
    addresses: Callable[[MachineRecord], Sequence[str]]
    socket_to: SocketTo
    #: Writes into an app's log: app, machine, region, level, message.
    say: Callable[[str, str, str, str, str], None]
    #: Told when it is known anew, or not any more, that a machine listens.
    changed: Callable[[], None]
    #: Told of a machine that has come up, or will not.
    ended: Callable[[str], None]


class Arrival:
    """One machine that is being brought up for one of its services.

    Args:
        is_wanted: Says whether somebody waits for it, so that it is started if it rests.
    """

    def __init__(
        self, owner: Owner, offer: Offer, around: Around, is_wanted: Callable[[], bool]
    ) -> None:
        self._is_wanted = is_wanted
        self._owner = owner
        self._offer = offer
        self._around = around
        self._loop = asyncio.get_running_loop()
        self._begun = self._loop.time()
        self._asked = False
        self._has_warned = False

    async def up(self) -> str:
        """Return at which address it listens, once it does and its checks pass."""
        while True:
            await self._started()
            host = await self._listening() if self._is_started() else ""
            if host and await self._healthy():
                self._tell()
                return host

    async def _started(self) -> None:
        """Return when it is started, by us if nobody else did."""
        while not self._is_started():
            state = self._owner.record.state
            if state in _AT_REST:
                self._start()
            elif state in (State.DESTROYING, State.DESTROYED):
                raise self._refused(503, "the machine was destroyed", code="PM08")
            await self._change()

    def _start(self) -> None:
        if not self._is_wanted():
            raise self._refused(503, "the machine was stopped meanwhile", code=CANCELLED)
        if self._asked:
            raise self._refused(
                503,
                f"the machine did not stay up: {_end(self._owner)}",
                hint="`ephemera logs` shows what it printed",
                code="PM07",
            )
        if not self._offer.autostart:
            raise self._refused(
                503,
                f"the machine is {self._owner.record.state}, and autostart is off",
                hint=f"`ephemera machine start {self._owner.record.id}`, or set autostart",
                code="PM08",
            )
        try:
            self._owner.ask_start("proxy")
        except (Refusal, IllegalMove, OperationalError) as error:
            raise self._refused(
                503, f"the machine cannot be started: {error}", code="PM07"
            ) from error
        self._asked = True

    async def _change(self) -> None:
        """Return when it is in a state that is not on its way to another one."""
        try:
            await self._owner.ledger.until(lambda now: now.state in _SETTLED or None, _POLL_S)
        except Refusal as error:
            raise self._refused(503, "the platform is stopping", code="PM10") from error

    async def _listening(self) -> str:
        """Return at which address it listens; empty where it is not started any more."""
        step, look_at = _STEP_FIRST_S, self._loop.time() + _LOOK_AFTER_S
        while self._is_started():
            hosts = self._around.addresses(self._owner.record)
            port = self._offer.internal_port
            if host := await listening.listens(hosts, port, self._around.socket_to):
                return host
            if self._age_s() > UP_WITHIN_S:
                raise self._not_listening(await listening.elsewhere(self._owner))
            if self._loop.time() > look_at:
                await self._look_elsewhere()
                look_at += _GIVE_UP_AFTER_S
            await asyncio.sleep(step)
            step = min(step * 1.1, _STEP_LAST_S)
        return ""

    async def _look_elsewhere(self) -> None:
        """Give up a program that listens, but where nobody from outside reaches it.

        Where there is hope, the log says already what would become an error in the end.
        """
        instead = await listening.elsewhere(self._owner)
        long = self._loop.time() - self._begun > _GIVE_UP_AFTER_S
        if instead and (long or listening.has_port(instead, self._offer.internal_port)):
            raise self._not_listening(instead)
        if not self._has_warned:
            self._has_warned = True
            message, hint = listening.not_listening(self._offer.internal_port, instead)
            held = f"requests wait for it, for up to {UP_WITHIN_S:.0f} s after its start"
            self._say("warning", f"{message} so far; {held} ({hint})")

    async def _healthy(self) -> bool:
        """Return whether its checks pass, as soon as they do, or it is not started any more."""
        checks, record, names = self._around.checks, self._owner.record, self._offer.checks
        step = _STEP_FIRST_S
        checks.hurry(record.id)  # it listens since a moment ago
        while checks.standing(record.id, names) is Standing.NOT_YET:
            await asyncio.sleep(step)
            step = min(step * 1.1, _STEP_LAST_S)
            if not self._is_started():
                return False
            if self._age_s() > UP_WITHIN_S:
                why = checks.complaint(record.id, names)
                raise self._refused(503, f"the machine is not healthy: {why}", code="PR01")
        return True

    def _is_started(self) -> bool:
        return self._owner.record.state is State.STARTED

    def _age_s(self) -> float:
        """Return how long it has been up, at least: what was written last is not older."""
        return self._around.clock() - self._owner.record.updated_at

    def _tell(self) -> None:
        if self._asked:
            seconds = self._loop.time() - self._begun
            self._say("info", f"machine became reachable in {seconds * 1000:.0f}ms")

    def _not_listening(self, instead: Sequence[str]) -> ProxyRefusal:
        message, hint = listening.not_listening(self._offer.internal_port, instead)
        return self._refused(502, message, hint=hint, code="PM05")

    def _say(self, level: str, message: str) -> None:
        record = self._owner.record
        self._around.say(record.app_id, record.id, record.region, level, message)

    def _refused(self, status: int, message: str, *, hint: str = "", code: str) -> ProxyRefusal:
        return refused(self._owner.record, status, message, hint=hint, code=code)


def refused(
    record: MachineRecord, status: int, message: str, *, hint: str = "", code: str
) -> ProxyRefusal:
    """Return the refusal of a request that was for a machine."""
    return ProxyRefusal(
        status, message, hint=hint, code=code, app_id=record.app_id, machine_id=record.id
    )


def _end(owner: Owner) -> str:
    """Return how a machine ended that was to be up, in a few words."""
    for event in owner.ledger.events():
        said = event.request or {}
        if event.type == "start" and event.status == "failed":
            return str(said.get("error"))
        if event.type == "exit":
            end = said.get("exit_event") or {}
            if end.get("oom_killed"):
                return "it was out of memory"
            return f"it exited with exit code {end.get('exit_code')}"
    return f"it is {owner.record.state}"
