"""Stops every process of a boot where it is, and lets it go on. Linux only.

SIGSTOP, because no program can ignore it or even notice. What a program had stopped itself, as a
shell does with a job, stays stopped when the boot goes on. Standard library only.
"""

from __future__ import annotations

import os
import select
import signal

from ephemera.platform.drivers.monitoring import ending, kernel
from ephemera.platform.drivers.monitoring.body import NotFrozen
from ephemera.platform.drivers.monitoring.kernel import Process

#: A process that waits for a disk stops when that is done. One that takes longer is stuck.
_STOPPED_WITHIN_S = 5.0
_LOOK_S = 0.001


class Freezer:
    """Freezes the descendants of this process."""

    def __init__(self) -> None:
        #: Those that were stopped here; None where nothing is frozen.
        self._frozen: dict[int, Process] | None = None

    @property
    def is_frozen(self) -> bool:
        """Whether the boot is frozen now."""
        return self._frozen is not None

    def freeze(self) -> None:
        """Return when no process of the boot runs any more. Repeating is safe.

        Raises:
            NotFrozen: one of them cannot be stopped.
        """
        if self._frozen is not None:
            return
        self._frozen = {}
        asleep: set[int] = set()  # by themselves
        try:
            # twice none: one that begot another and ended, while they were counted, hides that
            for _ in range(2):
                while fresh := self._running(asleep):
                    self._stop(fresh, asleep)
        except NotFrozen:
            self.thaw()
            raise

    def thaw(self) -> None:
        """Let every process go on that was stopped here. Repeating is safe.

        Children before their parents: to a shell that looked first they would be stopped jobs.
        """
        frozen, self._frozen = self._frozen, None
        ending.send_signal(reversed((frozen or {}).values()), signal.SIGCONT)

    def _running(self, asleep: set[int]) -> list[Process]:
        """Return the processes that were not seen yet: they were born meanwhile."""
        assert self._frozen is not None
        known = {*self._frozen, *asleep}
        return [one for one in kernel.descendants(os.getpid()) if one.pid not in known]

    def _stop(self, fresh: list[Process], asleep: set[int]) -> None:
        """Stop them one by one, parents first.

        A parent that is in `vfork` stops when its child has executed its program: so the child
        must not be stopped before the parent was seen to be.
        """
        assert self._frozen is not None
        for one in fresh:
            if kernel.is_stopped(one.pid):
                asleep.add(one.pid)
                continue
            self._frozen[one.pid] = one
            try:
                os.kill(one.pid, signal.SIGSTOP)
            except ProcessLookupError:
                continue
            except PermissionError:
                raise NotFrozen(f"process {one.pid} became another user's") from None
            _see_stopped(one)


def _see_stopped(one: Process) -> None:
    """Return when a process is stopped, or gone."""
    left = int(_STOPPED_WITHIN_S / _LOOK_S)
    while not kernel.is_stopped(one.pid):
        now = kernel.process(one.pid)
        if now is None or now.start != one.start:
            return
        if left == 0:
            raise NotFrozen(f"process {one.pid} does not stop")
        left -= 1
        select.select([], [], [], _LOOK_S)
