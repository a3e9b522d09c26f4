"""A supervisor in a daemon thread of the process that enqueues or waits."""

from __future__ import annotations

import asyncio
import logging
import threading

from ephemera.errors import ConfigError
from ephemera.jobs.supervisor import FINISH_S, Supervisor

_log = logging.getLogger("ephemera.jobs")

#: How long the end of the process waits for ended machines to be dealt with and for the lease to
#: be given back. Mostly that takes milliseconds.
_STOP_TIMEOUT_S = FINISH_S + 1.0


class Background:
    """Runs a supervisor beside the program. Jobs under way do not keep the program from ending."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="ephemera-supervisor", daemon=True)
        self._thread.start()

    @property
    def holder(self) -> str:
        """The name under which the supervisor holds the lease."""
        return self._supervisor.holder

    @property
    def is_active(self) -> bool:
        """Whether the supervisor has the lease, and for a while yet."""
        return self._supervisor.is_active

    @property
    def hindrance(self) -> ConfigError | None:
        """What keeps the supervisor from its work now."""
        return self._supervisor.hindrance.error

    def nudge(self) -> None:
        """Make the supervisor look into the store at once. Safe from any thread."""
        with self._lock:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._supervisor.nudge)

    def stop(self) -> None:
        """Give the lease back and end the thread. Repeating is safe."""
        with self._lock:
            self._stopped = True
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_STOP_TIMEOUT_S)

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except Exception:  # noqa: BLE001 - nobody else would hear of it
            _log.exception("The supervisor thread ended")

    async def _main(self) -> None:
        with self._lock:
            if self._stopped:
                return
            self._loop = asyncio.get_running_loop()
        try:
            await self._supervisor.run(self._stop)
        finally:
            with self._lock:
                self._loop = None
