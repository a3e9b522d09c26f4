"""The loop outside that gives jobs their machines and watches them to the end.

Every process that enqueues or waits may run one, in a thread, and `ephemera supervise` runs one
by itself. A lease in the store says which is active; the others stand by and take over when it
is not renewed in time. Should two be active for a moment, because one was asleep for longer
than its lease, the guarded writes of the store let only one of them make each move.

```
survey ──► queued job:         write down an attempt and attend to it
   ▲  ├──► attempt under way:  attend to it, wherever it was left
   │  ├──► cancelled job:      nudge whoever attends to it
   │  └──► now and then:       destroy machines kept too long
   └───── on a nudge, or after TICK_S
```
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from ephemera.client import AsyncClient
from ephemera.errors import ConfigError, EphemeraError, Stale
from ephemera.jobs.attempts import attend, attend_claimed
from ephemera.jobs.busyness import Busyness
from ephemera.jobs.clock import Clock, SystemClock
from ephemera.jobs.context import Context
from ephemera.jobs.hindrance import Hindrance
from ephemera.jobs.reaching import Listeners, may_push
from ephemera.jobs.records import JobRecord, new_attempt
from ephemera.jobs.reports import report_app
from ephemera.jobs.settings import Settings
from ephemera.jobs.states import Stage
from ephemera.jobs.store import Store
from ephemera.jobs.tenure import Tenure
from ephemera.jobs.trimming import Trimming

_log = logging.getLogger("ephemera.jobs")

#: How long the end of a supervisor waits for machines to be destroyed whose program has ended.
FINISH_S = 5.0
#: How often the store is looked at where nobody nudges us.
TICK_S = 1.0
#: Jobs claimed in one survey: the rest is claimed in the next, a moment later.
_CLAIMS_MAX = 100
#: Machines being made at the same time.
_MAKING_MAX = 16


@dataclass(slots=True)
class _Attendance:
    """An attempt that is attended to."""

    task: asyncio.Task[None]
    nudged: asyncio.Event = field(repr=False)


class Supervisor:
    """Attends to the jobs of one store.

    Args:
        open_client: Makes the client it talks to the Machines API with.
        ended: Called, on the supervisor's thread, with the id of each job that ends.
        patient: Whether to go on where the settings lead to no API; see `hindrance`.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        *,
        open_client: Callable[[], AsyncClient] = AsyncClient,
        clock: Clock | None = None,
        ended: Callable[[str], None] = lambda _: None,
        patient: bool = True,
    ) -> None:
        self._store = store
        self._settings = settings
        self._open_client = open_client
        self._clock: Clock = clock or SystemClock()
        self._tenure = Tenure(store, self._clock)
        self._ended = ended
        self._patient = patient
        #: What keeps it from its work.
        self.hindrance = Hindrance()
        self._nudged = asyncio.Event()
        self._attending: dict[str, _Attendance] = {}
        self._context: Context | None = None
        self._listeners: Listeners | None = None
        self._trimming = Trimming()
        self._busyness = Busyness(self._clock, os.environ)

    @property
    def holder(self) -> str:
        """What it is called in the lease."""
        return self._tenure.holder

    @property
    def is_active(self) -> bool:
        """Whether it has the lease, and for a while yet. Safe from any thread."""
        return self._tenure.is_sure

    def nudge(self) -> None:
        """Look into the store at once. To be called on the supervisor's loop."""
        self._nudged.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Supervise until `stop` is set. Jobs under way go on and are found again.

        Raises:
            ConfigError: the settings lead to no API, and it is not patient.
        """
        async with contextlib.AsyncExitStack() as stack:
            stack.callback(self._tenure.release)
            try:
                while not stop.is_set():
                    self._nudged.clear()
                    await self._turn_or_log(stack)
                    await self._nudge_or_tick(stop)
                await self._finish_ended()
            finally:
                await self._leave_all()

    async def _turn_or_log(self, stack: contextlib.AsyncExitStack) -> None:
        try:
            await self._turn_or_step_back(stack)
        except ConfigError:
            raise  # it is not patient
        except Exception as error:  # noqa: BLE001 - it outlives a full disk, a locked database
            _log_error("The supervisor goes on after an error", error)

    async def _turn(self, stack: contextlib.AsyncExitStack) -> None:
        if not self._is_active():
            await self._leave_all()
            return
        if self._context is None:
            self._context = await self._open(stack)
        self._context = await self._reached(self._context)
        self._is_active()  # others are told where we listen
        await self._survey(self._context)
        # whatever is queued was claimed just now, or is after what was
        self._busyness.tell(self._context.client, busy=bool(self._attending))

    async def _turn_or_step_back(self, stack: contextlib.AsyncExitStack) -> None:
        try:
            await self._turn(stack)
        except ConfigError as error:
            self._tenure.release()  # another supervisor may have better settings
            if not self._patient:
                raise
            self.hindrance.met(error, self._clock.now())
            self.hindrance.end_overdue(self._store, self._clock.now(), self._ended)
        else:
            self.hindrance.over()

    def _is_active(self) -> bool:
        return self._tenure.hold(self._context.listener_url if self._context else "")

    async def _open(self, stack: contextlib.AsyncExitStack) -> Context:
        """Make what an active supervisor needs. It stays until the end, active or not."""
        async with contextlib.AsyncExitStack() as opening:
            client = await opening.enter_async_context(self._open_client())
            app = report_app(self._store, self._clock, self.nudge)
            # machines of an earlier supervisor still report to its port
            port = urlsplit(self._tenure.last_url()).port or 0
            listeners = Listeners(app, self._clock, stack)
            url = await listeners.open(port)
            stack.push_async_callback(opening.pop_all().aclose)
        self._listeners = listeners
        return Context(
            store=self._store,
            client=client,
            clock=self._clock,
            settings=self._settings,
            listener_url=url,
            pushes=may_push(client, self._settings),
            makes_apps=client.local,
            ended=self._ended,
            making=asyncio.Semaphore(_MAKING_MAX),
        )

    async def _reached(self, context: Context) -> Context:
        """Return the context with where the machines of jobs that are due find us."""
        if self._settings.report_url or not self._listeners or not self._listeners.are_due():
            return context
        busy = self._store.queued(limit=1) or self._store.under_way()
        if not busy or not may_push(context.client, self._settings):
            return context
        url = await self._listeners.for_machines(context.client)
        return replace(context, listener_url=url or context.listener_url, pushes=url is not None)

    async def _survey(self, context: Context) -> None:
        for job in self._store.queued(limit=self._room()):
            self._claim(context, job)
        await asyncio.sleep(0)  # machines are asked for before the rest is looked at
        for attempt_id in self._store.under_way():
            self._attend(context, attempt_id)
        for attempt_id in self._store.cancelling():
            if attempt_id in self._attending:
                self._attending[attempt_id].nudged.set()
        self._trimming.now_and_then(context)

    def _room(self) -> int:
        """Return how many more jobs may have a machine now."""
        most = self._settings.concurrency
        if most is None:
            return _CLAIMS_MAX
        return min(_CLAIMS_MAX, max(0, most - len(self._store.under_way())))

    def _claim(self, context: Context, job: JobRecord) -> None:
        attempt = new_attempt(job, now=self._clock.now())
        if context.pushes:
            report_url = f"{context.reports_url}/{self._store.identity().id}/{attempt.id}"
            attempt = replace(attempt, report_url=report_url)
        try:
            self._store.claim(job, attempt)
        except Stale:
            _log.debug("Job %s was claimed or cancelled by somebody else", job.id)
            return
        nudged = asyncio.Event()
        self._enlist(attempt.id, attend_claimed(context, attempt, job, nudged=nudged), nudged)

    def _attend(self, context: Context, attempt_id: str) -> None:
        if attempt_id not in self._attending:
            nudged = asyncio.Event()
            self._enlist(attempt_id, attend(context, attempt_id, nudged=nudged), nudged)

    def _enlist(
        self, attempt_id: str, attending: Coroutine[Any, Any, None], nudged: asyncio.Event
    ) -> None:
        task = asyncio.create_task(attending)
        self._attending[attempt_id] = _Attendance(task, nudged)
        task.add_done_callback(partial(self._left, attempt_id))

    def _left(self, attempt_id: str, task: asyncio.Task[None]) -> None:
        del self._attending[attempt_id]
        error = None if task.cancelled() else task.exception()
        if error is not None:  # the next survey takes it up again
            _log_error(f"Attending to attempt {attempt_id} failed", error)
        elif self._settings.concurrency is not None:
            self.nudge()  # the next job has waited for this one to end

    async def _finish_ended(self) -> None:
        """Deal with machines whose program has ended: a short script leaves none behind."""
        ended = [
            attendance.task
            for attempt_id, attendance in self._attending.items()
            if self._is_ended(attempt_id)
        ]
        if ended:
            await asyncio.wait(ended, timeout=FINISH_S)

    def _is_ended(self, attempt_id: str) -> bool:
        attempt = self._store.attempt(attempt_id)
        return attempt is not None and attempt.stage in (Stage.EXITED, Stage.ENDED)

    async def _leave_all(self) -> None:
        """Let go of every attempt, as it is: another supervisor has it, or will."""
        tasks = [attendance.task for attendance in self._attending.values()]
        tasks += [task for task in (self._trimming.task, self._busyness.task) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _nudge_or_tick(self, stop: asyncio.Event) -> None:
        waits = {asyncio.ensure_future(self._nudged.wait()), asyncio.ensure_future(stop.wait())}
        await asyncio.wait(waits, timeout=TICK_S, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)


def _log_error(what: str, error: BaseException) -> None:
    """Say what went wrong; from where, only if it is an error that nobody has foreseen.

    While the program ends under us no new thread can be had any more, and errors mean nothing.
    """
    if threading.main_thread().is_alive():
        unforeseen = None if isinstance(error, EphemeraError) else error
        _log.error("%s: %s", what, error, exc_info=unforeseen)
