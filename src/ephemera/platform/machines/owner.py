"""The owner of one machine: what callers may ask of it, and when the answer is no.

```
   routes ── ask_*() ──►┌───────┐── start, sleep, running.end ──►┌──────┐
                        │ Owner │                                │ Life │◄──► driver
   waiters ◄── ledger ──└───────┘◄───────── ledger ──────────────└──────┘
```

Nobody else moves a machine. Each `ask_` method runs to its end without giving up the event loop.
A request gets one of three answers: it is done, it is already so (both return), or no
(`Refusal`). What follows from it is the machine's `Life`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from signal import SIGKILL
from typing import Any

from ephemera.platform import configs, refusals
from ephemera.platform.images.keeping import keeper
from ephemera.platform.machines import happenings
from ephemera.platform.machines.inside import Inside
from ephemera.platform.machines.ledger import Ledger
from ephemera.platform.machines.life import Life
from ephemera.platform.machines.remains import Remains
from ephemera.platform.machines.schedules import next_run
from ephemera.platform.machines.surroundings import Surroundings
from ephemera.platform.machines.unasked_starts import UnaskedStarts
from ephemera.platform.records import EventRecord, MachineRecord
from ephemera.platform.states import ASLEEP, BUSY, LIVE, MOVES, Event, State
from ephemera.wire.ids import new_ulid
from ephemera.wire.models import MachineConfig

#: Source: the API's documentation of `suspend`; its guide on long-running tasks says twice that.
SUSPEND_MEMORY_MB_MAX = 2048
#: The program runs, though it may have been told to end; a frozen one does nothing.
_RUNS = frozenset({State.STARTED, State.STOPPING, State.RESTARTING, State.REPLACING})


class Owner:
    """Moves one machine from its creation to its end.

    Args:
        happened: Its events where they are known, as for a machine that was just created.
    """

    def __init__(
        self,
        record: MachineRecord,
        around: Surroundings,
        happened: Sequence[EventRecord] | None = None,
    ) -> None:
        self._around = around
        self._life = Life(record, around, happened)
        #: What is written down of it.
        self.ledger: Ledger = self._life.ledger
        #: What reaches its program.
        self.inside = Inside(around.driver, self.ledger)
        #: What its program left when it ended.
        self.remains = Remains(around.driver, self.ledger, around.boot_spec)
        #: What starts it without anybody asking.
        self.unasked_starts = UnaskedStarts(self.ledger, self._life, around)

    # what is known

    @property
    def record(self) -> MachineRecord:
        """The machine as it is written down."""
        return self.ledger.record

    @property
    def config(self) -> MachineConfig:
        """The config of the current version."""
        return self._life.config

    @property
    def checks(self) -> list[dict[str, Any]]:
        """What its checks found, as the API shows it."""
        return self._around.check_results(self.record)

    @property
    def image_digest(self) -> str:
        """Which image its version has; empty where that is not known, or not yet."""
        record, driver = self.record, keeper(self._around.driver)
        if driver is None:
            return ""
        return driver.image_digest(record.id, record.instance_id, record.config["image"])

    @property
    def has_program(self) -> bool:
        """Whether its program runs, though it may have been told to end."""
        return self.record.state in _RUNS and bool(self.record.handle)

    # what moves it

    def ask_start(self, source: str = "user") -> State:
        """Start it if it rests, or have it go on if it is suspended; return the state it was in.

        Args:
            source: Who asks, for the event: a `user`, or the `proxy` for a request.

        Raises:
            Refusal: it cannot be started now, or the disk is nearly full.
        """
        previous = self.record.state
        if previous in (State.STARTING, State.STARTED):
            return previous
        asked = [happenings.start_asked(self.record.id, self._now(), source)]
        if previous is State.SUSPENDED:
            self.ledger.move(Event.START, asked)
            self._life.sleep.thaw()
        elif previous in (State.STOPPED, State.FAILED):
            self._around.need_room()
            self._life.start(Event.START, asked)
        else:
            raise refusals.cannot_start(previous)
        self._life.voice.say("Starting machine")
        return previous

    def ask_stop(self, signum: int, timeout: float, source: str = "user") -> None:
        """Have the program told to end, and killed `timeout` seconds later if it did not.

        One that is suspended cannot be told: what it was doing is discarded.
        """
        state = self.record.state
        if state in (State.STOPPED, State.FAILED):
            return
        if state is State.STOPPING:  # told again: it never gets more time than it had
            sooner = min(self.record.stop_by or math.inf, self._now() + timeout)
            self.ledger.write(stop_signal=int(signum), stop_by=sooner)
        elif Event.STOP in MOVES[state]:
            asked = [happenings.stop_asked(self.record.id, self._now(), source)]
            self.ledger.move(Event.STOP, asked, **self._ending(signum, timeout))
        else:
            raise refusals.wrong_state("stop", state)
        self._life.running.end()

    def ask_suspend(self, source: str = "user") -> None:
        """Have the program frozen where it is, to go on there when the machine is started.

        Raises:
            Refusal: the driver cannot do it (400), or not with this machine or now (412).
        """
        driver, state = self._around.driver, self.record.state
        if state in ASLEEP:
            return
        if state is not State.STARTED:
            raise refusals.wrong_state("suspend", state)
        if not driver.capabilities.suspends:
            raise refusals.unsupported(f"suspend with the '{driver.name}' driver")
        self._check_can_sleep()
        asked = [happenings.suspend_asked(self.record.id, self._now(), source)]
        self.ledger.move(Event.SUSPEND, asked)
        self._life.sleep.freeze()

    def ask_restart(self, signum: int, timeout: float) -> None:
        """End the program and start it again, or start it if it rests.

        Raises:
            Refusal: it cannot be restarted now, or rests and the disk is nearly full.
        """
        state = self.record.state
        asked = [happenings.restart_asked(self.record.id, self._now())]
        if state in (State.STOPPED, State.FAILED):
            self._around.need_room()
            self._life.start(Event.START, asked)
        elif Event.RESTART in MOVES[state]:
            self.ledger.move(Event.RESTART, asked, **self._ending(signum, timeout))
            self._life.running.end()
        elif state is not State.RESTARTING:
            raise refusals.wrong_state("restart", state)

    def ask_update(self, config: dict[str, Any], *, skip_launch: bool, **changes: Any) -> None:
        """Replace its version: a running machine reboots into the new one, others rest.

        Args:
            config: Checked and complete.
            skip_launch: Leave a running machine stopped in its new version.
            changes: What else of the record is different in the new version.
        """
        state = self.record.state
        if state in (State.DESTROYING, State.DESTROYED):
            raise refusals.wrong_state("update", state)
        if Event.UPDATE not in MOVES[state]:
            raise refusals.changed_meanwhile()
        launch = (state in LIVE - ASLEEP or self.record.launch) and not skip_launch
        stop = self.config.stop_config
        self.ledger.move(
            Event.UPDATE,
            [happenings.replacing(self.record.id, self._now())],
            config=config,
            instance_id=new_ulid(),
            launch=launch,
            run_at=next_run(config.get("schedule"), self.record.created_at, self._now()),
            **self._ending(configs.stop_signal(stop), configs.stop_timeout_s(stop)),
            **self._without_remains(),
            **changes,
        )
        if state in LIVE:
            self._life.running.end()
        else:
            self._life.chores.begin(self.ledger.note(self._life.ended))
        if not launch and not skip_launch:
            self._life.voice.say(
                "machine was in a non-started state prior to the update so leaving the new "
                "version stopped"
            )

    def ask_destroy(self, *, force: bool, source: str = "user") -> None:
        """Have it taken away."""
        state = self.record.state
        if state in (State.DESTROYING, State.DESTROYED):
            return
        if not force and (state in BUSY or self.record.launch):
            raise refusals.not_stopped()
        asked = [happenings.destroy_asked(self.record.id, self._now(), source)]
        ending = self._life.ending(SIGKILL, 0.0) | self._without_remains()
        self.ledger.move(Event.DESTROY, asked, **ending)
        if state in LIVE:
            self._life.running.end()
        else:
            self._life.removal.begin()

    def kill(self, why: str) -> None:
        """Kill its program if it runs, for a reason that its exit tells."""
        if self.has_program:
            self._life.running.kill(why)

    # what changes it without a move

    def ask_cordon(self, *, cordoned: bool) -> None:
        """Keep requests of a proxy away from it, or let them come again. Repeating is safe."""
        state = self.record.state
        if state in (State.DESTROYING, State.DESTROYED):
            raise refusals.wrong_state("cordon" if cordoned else "uncordon", state)
        if self.record.cordoned is not cordoned:
            self.ledger.write(cordoned=cordoned)

    def put_metadata(self, metadata: dict[str, str]) -> None:
        """Write its metadata, which makes no new version."""
        self.ledger.write(config=self.record.config | {"metadata": metadata})

    # the beginning and the end

    def begin_soon(self) -> None:
        """Begin when the caller has been answered."""
        self._life.chores.begin(self.ledger.note(self._life.begin))

    def resume(self) -> None:
        """Go on with what a server that is gone had under way."""
        self._life.resume()

    async def close(self) -> None:
        """Stop looking after it, without touching it; another server goes on from the store."""
        self.unasked_starts.cancel()
        await self._life.close()

    # the rest

    def _check_can_sleep(self) -> None:
        config = self.record.config
        init = config.get("init") or {}
        if config["guest"]["memory_mb"] > SUSPEND_MEMORY_MB_MAX:
            raise refusals.cannot_suspend(f"it has more than {SUSPEND_MEMORY_MB_MAX} MB of memory")
        if init.get("swap_size_mb"):
            raise refusals.cannot_suspend("it has swap space")
        if config.get("schedule"):
            raise refusals.cannot_suspend("it has a schedule")

    def _ending(self, signum: int, timeout: float) -> dict[str, Any]:
        if self.record.state in ASLEEP:
            return self._life.ending(SIGKILL, 0.0)
        return self._life.ending(signum, timeout)

    def _without_remains(self) -> dict[str, Any]:
        """Return what the record says once nothing of a boot that ended is to be had any more.

        A handle in a state that waits for the end of a boot means that it is still to come.
        """
        return {} if self.record.state in LIVE else {"handle": ""}

    def _now(self) -> float:
        return self._around.clock()
