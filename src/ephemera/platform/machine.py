"""The owner of one machine: the only code that moves it.

```
   routes ── ask_*() ──►┌───────┐── start, signal, destroy ──►┌────────┐
                        │ Owner │                             │ driver │
   waiters ◄── reach()──└───────┘◄── seen_*() ────────────────└────────┘
                            │ every move: state + event, one transaction
                            ▼
                          store
```

Each `ask_` and `seen_` method runs to its end without giving up the event loop, so two of them
never mix; what takes time (the driver) is a task that comes back with a `seen_`. A request gets
one of three answers: it is done, it is already so (both return), or no (`Refusal`). The order is
always: write down, then act. A server that was killed in between reads what it had written and
acts again (`resume`), which drivers allow.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from signal import SIGKILL
from typing import Any, TypeVar

from ephemera.errors import BootFailed, DriverError, ImageUnavailable, Unsupported
from ephemera.platform import configs, happenings, refusals, restart
from ephemera.platform.drivers.base import BootSpec, Driver, Executed, Exit
from ephemera.platform.ledger import Ledger
from ephemera.platform.logs import Logs
from ephemera.platform.records import EventRecord, MachineRecord
from ephemera.platform.signals import signal_name
from ephemera.platform.states import LIVE, MOVES, Event, State
from ephemera.platform.store import Store
from ephemera.wire.ids import new_ulid
from ephemera.wire.models import MachineConfig

_log = logging.getLogger(__name__)

#: How long to wait before asking a driver again that had no answer: at first, and at most.
_DRIVER_RETRY_S = 1.0
_DRIVER_RETRY_MAX_S = 30.0
#: With these a driver says that nothing of the boot is left. With any other it does not know.
_FAILED_BOOTS = (Unsupported, ImageUnavailable, BootFailed)

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the owners of all machines share."""

    store: Store
    driver: Driver
    logs: Logs
    clock: Callable[[], float]
    #: Says what a boot of a machine is made of, from its record.
    boot_spec: Callable[[MachineRecord], BootSpec]
    #: Told when a machine is destroyed.
    forget: Callable[[MachineRecord], None]


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
        self.ledger = Ledger(record, around.store, around.clock, happened)
        self._around = around
        self._tasks: set[asyncio.Task[None]] = set()
        self._start_asked_at = around.clock()
        #: A start that waits for its pause to be over.
        self._pausing: asyncio.TimerHandle | None = None
        #: When a program that was told to end is killed.
        self._deadline: asyncio.TimerHandle | None = None

    # what is known

    @property
    def record(self) -> MachineRecord:
        """The machine as it is written down."""
        return self.ledger.record

    @property
    def config(self) -> MachineConfig:
        """The config of the current version."""
        return MachineConfig.model_validate(self.record.config)

    # what callers ask

    def ask_start(self) -> State:
        """Start it if it rests; return the state it was in."""
        previous = self.record.state
        if previous in (State.STARTING, State.STARTED):
            return previous
        if previous not in (State.STOPPED, State.FAILED):
            raise refusals.cannot_start(previous)
        self._start(Event.START, [happenings.start_asked(self.record.id, self._now())])
        self._say("Starting machine")
        return previous

    def ask_stop(self, signum: int, timeout: float) -> None:
        """Have the program told to end, and killed `timeout` seconds later if it did not."""
        state = self.record.state
        if state in (State.STOPPED, State.FAILED):
            return
        if state is State.STOPPING:  # told again: it never gets more time than it had
            sooner = min(self.record.stop_by or math.inf, self._now() + timeout)
            self.ledger.write(stop_signal=int(signum), stop_by=sooner)
        elif state in (State.STARTING, State.STARTED, State.RESTARTING):
            asked = [happenings.stop_asked(self.record.id, self._now())]
            self.ledger.move(Event.STOP, asked, **self._ending(signum, timeout))
        else:
            raise refusals.wrong_state("stop", state)
        self._end_program()

    def ask_restart(self, signum: int, timeout: float) -> None:
        """End the program and start it again, or start it if it rests."""
        state = self.record.state
        asked = [happenings.restart_asked(self.record.id, self._now())]
        if state in (State.STOPPED, State.FAILED):
            self._start(Event.START, asked)
        elif state in (State.STARTING, State.STARTED):
            self.ledger.move(Event.RESTART, asked, **self._ending(signum, timeout))
            self._end_program()
        elif state is not State.RESTARTING:
            raise refusals.wrong_state("restart", state)

    def ask_update(self, config: dict[str, Any], *, skip_launch: bool) -> None:
        """Replace its version: a running machine reboots into the new one, others rest.

        Args:
            config: Checked and complete.
            skip_launch: Leave a running machine stopped in its new version.
        """
        state = self.record.state
        if Event.UPDATE not in MOVES[state]:
            raise refusals.changed_meanwhile()
        runs = state in LIVE
        stop = self.config.stop_config
        self.ledger.move(
            Event.UPDATE,
            [happenings.replacing(self.record.id, self._now())],
            config=config,
            instance_id=new_ulid(),
            launch=(runs or self.record.launch) and not skip_launch,
            **self._ending(configs.stop_signal(stop), configs.stop_timeout_s(stop)),
        )
        if runs:
            self._end_program()
        else:
            self._spawn(self.ledger.note(self._ended))

    def ask_destroy(self, *, force: bool, source: str = "user") -> None:
        """Have it taken away."""
        state = self.record.state
        if state in (State.DESTROYING, State.DESTROYED):
            return
        if not force and (state in LIVE or self.record.launch):
            raise refusals.not_stopped()
        asked = [happenings.destroy_asked(self.record.id, self._now(), source)]
        self.ledger.move(Event.DESTROY, asked, **self._ending(SIGKILL, 0.0))
        if state in LIVE:
            self._end_program()
        else:
            self._spawn(self._destroy())

    async def tell(self, signum: int) -> None:
        """Send a signal to its program."""
        if self.record.state is not State.STARTED:
            raise refusals.wrong_state("signal", self.record.state)
        await self._around.driver.signal(self.record.handle, signum)

    async def exec(self, command: Sequence[str], stdin: bytes, timeout: float) -> Executed:
        """Run a command beside its program."""
        if self.record.state is not State.STARTED:
            raise refusals.wrong_state("exec in", self.record.state)
        driver, handle = self._around.driver, self.record.handle
        return await driver.exec(handle, command, stdin=stdin, timeout=timeout)

    def put_metadata(self, metadata: dict[str, str]) -> None:
        """Write its metadata, which makes no new version."""
        self.ledger.write(config=self.record.config | {"metadata": metadata})

    # the beginning, and the beginning again

    def begin_soon(self) -> None:
        """Begin when the caller has been answered."""
        self._spawn(self.ledger.note(self.begin))

    def begin(self) -> None:
        """Go on from `created`: start it, or let it rest where it is not to be launched."""
        if self.record.state is not State.CREATED:
            return
        if self.record.launch:
            self._start(Event.START, [])
        else:
            self.ledger.move(Event.REST)

    def resume(self) -> None:
        """Go on with what a server that is gone had under way."""
        record = self.record
        if record.state is State.CREATED:
            self.begin()
        elif record.state is State.STARTING:
            self._boot()
        elif record.state in (*LIVE, State.DESTROYING) and record.handle:
            self._spawn(self._watch())
            if record.state is not State.STARTED:
                self._end_program()
        elif record.state in (*LIVE, State.DESTROYING):
            self._spawn(self._end_unknown_boot())
        elif happenings.ends_with_an_end(self.ledger.events()):
            self._destroy_if_wanted()

    async def close(self) -> None:
        """Stop looking after it, without touching it; another server goes on from the store."""
        self.ledger.release()
        self._cancel_timers()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # what the driver saw

    def _seen_booted(self, handle: str) -> None:
        if self.record.state is not State.STARTING:  # asked to end while it was booting
            self.ledger.write(handle=handle)
            self._end_program()
            return
        self.ledger.move(
            Event.BOOTED, [happenings.started(self.record.id, self._now())], handle=handle
        )
        self._say(f"Machine started in {(self._now() - self._start_asked_at) * 1000:.0f}ms")

    def _seen_boot_failed(self, error: DriverError) -> None:
        failed = happenings.start_failed(self.record.id, self._now(), error)
        if self.record.state is State.STARTING:
            self.ledger.move(Event.BOOT_FAILED, [failed])
            self._destroy_if_wanted()
        else:
            self._ended([failed])
        self._say(f"Machine failed to start: {error.message}", level="error")

    def _seen_exit(self, end: Exit) -> None:
        self._cancel_timers()
        if self.record.state is State.STARTED:
            self._exited_by_itself(end)
            return
        replaced = self.record.state is State.REPLACING and self.record.launch
        again = self.record.state is State.RESTARTING or replaced
        self._ended([self._exit_event(end, requested=True, again=again)])
        self._say_exited(end, again=again)

    def _exited_by_itself(self, end: Exit) -> None:
        now = self._now()
        before = restart.recent(self.record.restarts, now)
        decision = restart.decide(self.config.restart, end.exit_code, before, now)
        happened = [self._exit_event(end, requested=False, again=decision.again)]
        if decision.again:
            happened.append(happenings.restarting(self.record.id, now))
            restarts = [*before, now]
            self._start(Event.EXITED_AGAIN, happened, pause=decision.pause, restarts=restarts)
        else:
            self.ledger.move(Event.EXITED, happened, handle="")
            self._destroy_if_wanted()
        self._say_exited(end, again=decision.again)
        if decision.exhausted:
            said = f"machine has reached its max restart count of {len(before)}"
            self._say(said, level="error")

    def _ended(self, happened: Sequence[EventRecord] = ()) -> None:
        """Go on after the end of a program that somebody wanted to end."""
        state = self.record.state
        if state is State.STOPPING:
            self.ledger.move(Event.EXITED, happened, handle="")
            self._destroy_if_wanted()
        elif state is State.RESTARTING:
            again = happenings.restarting(self.record.id, self._now())
            self._start(Event.EXITED, [*happened, again])
        elif state is State.REPLACING and self.record.launch:
            self._start(Event.REPLACED, happened)
        elif state is State.REPLACING:
            self.ledger.move(Event.REST, happened, handle="")
        elif state is State.DESTROYING:
            self.ledger.write(happened, handle="")
            self._spawn(self._destroy())

    # what is done

    def _start(
        self, event: Event, happened: Sequence[EventRecord], *, pause: float = 0.0, **changes: Any
    ) -> None:
        fresh = {"boot": self.record.boot + 1, "handle": "", "launch": False}
        self.ledger.move(event, happened, stop_signal=None, stop_by=None, **fresh, **changes)
        if pause:
            self._pausing = asyncio.get_running_loop().call_later(pause, self._boot)
        else:
            self._boot()

    def _boot(self) -> None:
        self._pausing = None
        self._start_asked_at = self._now()
        self._spawn(self._boot_and_watch())

    async def _boot_and_watch(self) -> None:
        try:
            handle = await self._until_known(self._boot_once)
        except _FAILED_BOOTS as caught:
            error = caught
            await self.ledger.note(lambda: self._seen_boot_failed(error))
            return
        await self.ledger.note(lambda: self._seen_booted(handle))
        await self._watch()

    async def _boot_once(self) -> str:
        return await self._around.driver.start(self._around.boot_spec(self.record), self._hear)

    async def _watch(self) -> None:
        handle = self.record.handle
        end = await self._until_known(lambda: self._around.driver.wait(handle))
        await self.ledger.note(lambda: self._seen_exit(end))

    async def _end_unknown_boot(self) -> None:
        """End a boot of which the server that asked for it never heard back."""
        await self._until_known(lambda: self._around.driver.destroy(self.record.id))
        killed = Exit(-1, error="the server was killed while the machine was starting")
        open_boot = self.record.boot > 0 and not happenings.has_ended(self.ledger.events())
        happened = [self._exit_event(killed, requested=True, again=False)] if open_boot else []
        await self.ledger.note(lambda: self._ended(happened))

    async def _destroy(self) -> None:
        await self._until_known(lambda: self._around.driver.destroy(self.record.id))
        await self.ledger.note(self._seen_gone)

    async def _until_known(self, ask: Callable[[], Awaitable[_T]]) -> _T:
        """Ask the driver until it has an answer: not knowing is no proof of anything.

        Raises:
            Unsupported, ImageUnavailable, BootFailed: that is an answer.
        """
        pause = _DRIVER_RETRY_S
        while True:
            try:
                return await ask()
            except _FAILED_BOOTS:
                raise
            except (DriverError, OSError) as error:
                self._say(f"the driver cannot say, asking again: {error}", level="error")
                _log.error("machine %s: the driver failed", self.record.id, exc_info=error)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _DRIVER_RETRY_MAX_S)

    def _seen_gone(self) -> None:
        # Its files, which may be a megabyte, are of no use to anybody any more.
        config = {name: value for name, value in self.record.config.items() if name != "files"}
        gone = [happenings.destroyed(self.record.id, self._now())]
        self.ledger.move(Event.GONE, gone, config=config)
        self._around.forget(self.record)

    def _end_program(self) -> None:
        """Tell the program to end, as the record says, and kill it when its time is over."""
        self._cancel_deadline()
        if self._pausing:
            self._cancel_timers()
            self._spawn(self.ledger.note(self._ended))
            return
        if not self.record.handle:
            return  # it is booting; `_seen_booted` comes back here
        signum = self.record.stop_signal or SIGKILL
        self._say(f"Sending signal {signal_name(signum)} to main child process")
        self._spawn(self._signal(signum, everyone=signum == SIGKILL))
        left = max(0.0, (self.record.stop_by or 0.0) - self._now())
        self._deadline = asyncio.get_running_loop().call_later(left, self._overdue)

    def _overdue(self) -> None:
        self._spawn(self._signal(SIGKILL, everyone=True))

    async def _signal(self, signum: int, *, everyone: bool) -> None:
        driver, handle = self._around.driver, self.record.handle
        await self._until_known(lambda: driver.signal(handle, signum, everyone=everyone))

    def _destroy_if_wanted(self) -> None:
        if self.record.config.get("auto_destroy"):
            self._spawn(self.ledger.note(lambda: self.ask_destroy(force=True, source="flyd")))

    # what is written down and said

    def _ending(self, signum: int, timeout: float) -> dict[str, Any]:
        return {"stop_signal": int(signum), "stop_by": self._now() + timeout}

    def _exit_event(self, end: Exit, *, requested: bool, again: bool) -> EventRecord:
        now = self._now()
        count = len(restart.recent(self.record.restarts, now)) + (again and not requested)
        return happenings.exited(
            self.record.id, now, end, requested=requested, restarting=again, count=count
        )

    def _say_exited(self, end: Exit, *, again: bool) -> None:
        if end.oom_killed:
            self._say("Process appears to have been OOM killed!", level="error")
        what = f"exited with exit code {end.exit_code}"
        if end.signal > 0:
            what += f" ({signal_name(end.signal)})"
        if end.error:
            what += f" ({end.error})"
        self._say(f"machine {what}, {'restarting' if again else 'not restarting'}")

    def _say(self, message: str, level: str = "info") -> None:
        record = self.record
        self._around.logs.say(record.app_id, record.id, record.region, message, level)

    def _hear(self, level: str, message: str) -> None:
        self._say(message, level)

    def _now(self) -> float:
        return self._around.clock()

    # tasks and timers

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error:
            _log.error("machine %s: this is a defect", self.record.id, exc_info=error)

    def _cancel_deadline(self) -> None:
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None

    def _cancel_timers(self) -> None:
        self._cancel_deadline()
        if self._pausing:
            self._pausing.cancel()
            self._pausing = None
