"""What the platform says about one machine in the log of its app.

Source of the wording: lines that Fly.io's own log is known to have; the rest is in their manner.
"""

from __future__ import annotations

from collections.abc import Callable

from ephemera.errors import DriverError, StartCancelled
from ephemera.platform.drivers.base import Exit
from ephemera.platform.logs import Logs
from ephemera.platform.records import MachineRecord
from ephemera.platform.signals import signal_name


class Voice:
    """Speaks about one machine.

    Args:
        record: Returns the machine as it is now.
    """

    def __init__(self, logs: Logs, record: Callable[[], MachineRecord]) -> None:
        self._logs = logs
        self._record = record

    def say(self, message: str, level: str = "info") -> None:
        """Say something."""
        record = self._record()
        self._logs.say(record.app_id, record.id, record.region, message, level)

    def hear(self, level: str, message: str) -> None:
        """Say what the driver has to say."""
        self.say(message, level)

    def started(self, seconds: float, *, resumed: bool) -> None:
        """Its program runs, so long after that was asked for."""
        self.say(f"Machine {'resumed' if resumed else 'started'} in {seconds * 1000:.0f}ms")

    def boot_failed(self, error: DriverError) -> None:
        """Its program could not be started, or was not to be any more."""
        if isinstance(error, StartCancelled):
            self.say(f"Machine not started: {error.message}")
            return
        self.say(f"Machine failed to start: {error.message}", level="error")

    def exited(self, end: Exit, *, again: bool) -> None:
        """Its program ended, and is started again or not."""
        if end.oom_killed:
            self.say("Process appears to have been OOM killed!", level="error")
        what = f"exited with exit code {end.exit_code}"
        if end.signal > 0:
            what += f" ({signal_name(end.signal)})"
        if end.error:
            what += f" ({end.error})"
        self.say(f"machine {what}, {'restarting' if again else 'not restarting'}")

    def exhausted(self, count: int) -> None:
        """It was started again as often as its restart policy allows."""
        self.say(f"machine has reached its max restart count of {count}", level="error")

    def signalled(self, signum: int) -> None:
        """Its program is told to end."""
        self.say(f"Sending signal {signal_name(signum)} to main child process")
