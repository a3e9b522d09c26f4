"""The life of one machine: what was seen of its program, and what follows from that.

```
     Owner ── start, sleep, running.end ──►┌──────┐── begin, end ──►┌─────────┐◄──►┌────────┐
                                           │ Life │                 │ Running │    │ driver │
   waiters ◄──────── ledger ───────────────└──────┘◄── seen_* ──────└─────────┘    └────────┘
                       │ every move: state + event, one transaction
                       ▼
                     store
```

Each `seen_` method, as each `ask_` of the owner, runs to its end without giving up the event
loop, so two of them never mix; what takes time is a task that comes back with a `seen_`. The
order is always: write down, then act. A server that was killed in between reads what it had
written and acts again (`resume`), which drivers allow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ephemera.errors import DriverError
from ephemera.platform import configs
from ephemera.platform.chores import Chores
from ephemera.platform.drivers.base import Exit
from ephemera.platform.machines import happenings, restart
from ephemera.platform.machines.driving import Driving
from ephemera.platform.machines.ledger import Ledger
from ephemera.platform.machines.putting_off import AGAIN_S, PuttingOff
from ephemera.platform.machines.removal import Removal
from ephemera.platform.machines.running import Running
from ephemera.platform.machines.sleep import Sleep
from ephemera.platform.machines.surroundings import Surroundings
from ephemera.platform.machines.voice import Voice
from ephemera.platform.records import EventRecord, MachineRecord
from ephemera.platform.states import ASLEEP, LIVE, Event, State
from ephemera.wire.models import MachineConfig

#: The exit code of a boot whose end nobody saw: its program is gone, and with it its memory.
_UNSEEN = -1


class Life:
    """Moves one machine by what happens to it.

    Args:
        happened: Its events where they are known, as for a machine that was just created.
    """

    def __init__(
        self,
        record: MachineRecord,
        around: Surroundings,
        happened: Sequence[EventRecord] | None = None,
    ) -> None:
        self.ledger = Ledger(
            record, around.store, around.clock, around.moved, happened, around.hold
        )
        self.chores = Chores(f"machine {record.id}")
        self.voice = Voice(around.logs, lambda: self.record)
        self._around = around
        driving = Driving(record.id, around, self.voice)
        self.sleep = Sleep(
            self.ledger, driving, self.chores, self.voice, around.clock, self._stop_instead
        )
        self.removal = Removal(self.ledger, driving, self.chores, around)
        self.putting_off = PuttingOff(self.ledger, self.voice, around)
        self.running = Running(
            self.ledger, driving, self.chores, self.voice, self.putting_off, around.clock, self
        )

    @property
    def record(self) -> MachineRecord:
        """The machine as it is written down."""
        return self.ledger.record

    @property
    def config(self) -> MachineConfig:
        """The config of the current version."""
        return configs.stored(self.record.config)

    # the beginning, and the beginning again

    def begin(self, *, asked: bool = False) -> None:
        """Go on from `created`: start it, or let it rest where it is not to be launched.

        Args:
            asked: Whether a server that is gone may have begun it already.
        """
        if self.record.state is not State.CREATED:
            return
        if self.record.launch:
            # not written by itself: read as `created`, it is begun again, which is the same boot
            self.ledger.move_ahead(Event.START, **self._fresh_boot())
            self.running.begin(asked=asked)
        else:
            self.ledger.move(Event.REST)

    def resume(self) -> None:
        """Go on with what a server that is gone had under way."""
        record = self.record
        if record.state is State.CREATED:
            self.begin(asked=True)
        elif record.state is State.STARTING and not record.handle:
            self.running.begin(asked=True)
        elif record.state in (*LIVE, State.DESTROYING) and record.handle:
            self.running.watch()
            self._go_on_with_program()
        elif record.state in (*LIVE, State.DESTROYING):
            self.running.end_unknown()
        elif happenings.ends_with_an_end(self.ledger.events()):
            self.removal.begin_if_wanted()

    def _go_on_with_program(self) -> None:
        state = self.record.state
        if state is State.STARTING:
            self.sleep.thaw()
        elif state is State.SUSPENDING:
            self.sleep.freeze()
        elif state not in (State.STARTED, State.SUSPENDED):
            self.running.end()

    async def close(self) -> None:
        """Stop looking after it, without touching it; another server goes on from the store."""
        self.ledger.release()
        self.running.cancel()
        await self.chores.close()

    # what is done

    def start(
        self,
        event: Event,
        happened: Sequence[EventRecord],
        *,
        pause: float = 0.0,
        **changes: Any,
    ) -> None:
        """Begin another boot, by a move that leads to `starting`.

        Args:
            pause: Seconds before the driver is asked, and more as long as the disk is nearly full.
            changes: What else of the record changes with it.
        """
        self.ledger.move(event, happened, **self._fresh_boot(), **changes)
        if pause:
            self.running.begin_after(pause)
        else:
            self.running.begin()

    def ended(self, happened: Sequence[EventRecord] = ()) -> None:
        """Go on after the end of a program that somebody wanted to end, or of none."""
        state = self.record.state
        if state is State.STOPPING or state in ASLEEP:
            self.ledger.move(Event.EXITED, happened)
            self.removal.begin_if_wanted()
        elif state is State.RESTARTING:
            again = happenings.restarting(self.record.id, self._now())
            self.start(Event.EXITED, [*happened, again])
        elif state is State.REPLACING and self.record.launch:
            self.start(Event.REPLACED, happened)
        elif state is State.REPLACING:
            self.ledger.move(Event.REST, happened)
        elif state is State.DESTROYING:
            self.ledger.write(happened, handle="")
            self.removal.begin()

    def _stop_instead(self, error: DriverError) -> None:
        """Have a machine stopped that was to be suspended and cannot be."""
        stop = self.config.stop_config
        failed = happenings.suspend_failed(self.record.id, self._now(), error)
        ending = self.ending(configs.stop_signal(stop), configs.stop_timeout_s(stop))
        self.ledger.move(Event.STOP, [failed], **ending)
        self.voice.say(f"cannot be suspended, stopping instead: {error.message}", level="warning")
        self.running.end()

    def ending(self, signum: int, timeout: float) -> dict[str, Any]:
        """Return what the record says of a program that is to end within `timeout` seconds."""
        return {"stop_signal": int(signum), "stop_by": self._now() + timeout}

    # what the driver saw

    def seen_booted(self, handle: str, took_s: float) -> None:
        """Write down that its program runs; have it end, if that was asked while it booted."""
        if self.record.state is not State.STARTING:
            self.ledger.write(handle=handle)
            self.running.end()
            return
        started = happenings.started(self.record.id, self._now())
        self.ledger.move(Event.BOOTED, [started], handle=handle)
        self.voice.started(took_s, resumed=False)

    def seen_run(self, handle: str, took_s: float, end: Exit) -> bool:
        """Write down that its program ran and has ended, in one; whether it was.

        Not where it is started again: that begins when its end is written down.
        """
        decision = self._decide(end)
        if decision.again:
            return False
        started = happenings.started(self.record.id, self._now())
        exited = self._exit_event(end, requested=False, again=False)
        moves = [(Event.BOOTED, [started]), (Event.EXITED, [exited])]
        self.ledger.move_through(moves, handle=handle)
        self.removal.begin_if_wanted()
        self.voice.started(took_s, resumed=False)
        self._say_exited(end, decision)
        return True

    def seen_boot_failed(self, error: DriverError) -> None:
        """Write down that its program could not be started."""
        failed = happenings.start_failed(self.record.id, self._now(), error)
        if self.record.state is State.STARTING:
            self.ledger.move(Event.BOOT_FAILED, [failed])
            self.removal.begin_if_wanted()
        else:
            self.ended([failed])
        self.voice.boot_failed(error)

    def seen_exit(self, end: Exit) -> None:
        """Write down that its program ended, and go on as the state and its policy say."""
        state = self.record.state
        if state is State.STARTING and end.exit_code == _UNSEEN:
            self._seen_memory_lost(end)
            return
        if state is State.STARTING:  # it went on, and ended before the driver said so
            self.sleep.seen_thawed(self.record.handle)
        if self.record.state is State.STARTED:
            self._exited_by_itself(end)
            return
        replaced = state is State.REPLACING and self.record.launch
        again = state is State.RESTARTING or replaced
        self.ended([self._exit_event(end, requested=state not in ASLEEP, again=again)])
        self.voice.exited(end, again=again)

    def seen_not_begun(self) -> None:
        """Go on after a start that was called off before the driver was asked."""
        self.ended()

    def seen_unknown_gone(self) -> None:
        """Write down the end of a boot that nobody knows anything of."""
        killed = Exit(_UNSEEN, error="the server was killed while the machine was starting")
        open_boot = self.record.boot > 0 and not happenings.has_ended(self.ledger.events())
        happened = [self._exit_event(killed, requested=True, again=False)] if open_boot else []
        self.ended(happened)

    def _seen_memory_lost(self, end: Exit) -> None:
        """What was to be resumed is not there any more: start it from the beginning."""
        exited = self._exit_event(end, requested=False, again=True)
        self.start(Event.EXITED_AGAIN, [exited])
        self.voice.say("its memory was lost while it was suspended, starting afresh", "warning")

    def _exited_by_itself(self, end: Exit) -> None:
        now, decision = self._now(), self._decide(end)
        happened = [self._exit_event(end, requested=False, again=decision.again)]
        if decision.again:
            happened.append(happenings.restarting(self.record.id, now))
            restarts = [*restart.recent(self.record.restarts, now), now]
            pause = decision.pause
            if why := self.putting_off.reason():
                happened += self.putting_off.told(why)
                pause = max(pause, AGAIN_S)
            self.start(Event.EXITED_AGAIN, happened, pause=pause, restarts=restarts)
        else:
            self.ledger.move(Event.EXITED, happened)
            self.removal.begin_if_wanted()
        self._say_exited(end, decision)

    def _decide(self, end: Exit) -> restart.Decision:
        """Decide what is to be done after a program ended by itself."""
        record = self.record
        # the rest of the config, with its files, need not be read for that
        policy = configs.stored({"restart": record.config.get("restart")}).restart
        return restart.decide(policy, end.exit_code, record.restarts, self._now())

    def _say_exited(self, end: Exit, decision: restart.Decision) -> None:
        self.voice.exited(end, again=decision.again)
        if decision.exhausted:
            self.voice.exhausted(len(restart.recent(self.record.restarts, self._now())))

    # the rest

    def _fresh_boot(self) -> dict[str, Any]:
        """Return what the record says of a boot that is to come."""
        fresh = {"boot": self.record.boot + 1, "handle": "", "launch": False}
        return fresh | {"stop_signal": None, "stop_by": None}

    def _exit_event(self, end: Exit, *, requested: bool, again: bool) -> EventRecord:
        now = self._now()
        count = len(restart.recent(self.record.restarts, now)) + (again and not requested)
        return happenings.exited(
            self.record.id, now, end, requested=requested, restarting=again, count=count
        )

    def _now(self) -> float:
        return self._around.clock()
