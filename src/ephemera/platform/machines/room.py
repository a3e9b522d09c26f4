"""Room on the disk that all machines share: what is kept free of it, and who used too much.

```
 every few seconds   how much is free? ──nearly as before──► nothing to do
                           │ less
                           ▼
                     what each machine has written ──► judge ──► whose program is killed, and why
```

What a machine writes to its own file system is in a folder, beside those of the others. So it is
not the kernel that stops one that writes without end, but this, a moment later.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from ephemera.platform.chores import Chores

_log = logging.getLogger(__name__)

GB = 1 << 30
#: Of the disk, at most: with less the platform can still write down all that happens.
_KEPT_BYTES_MAX = GB
#: Of a smaller disk; percent.
_KEPT_PERCENT = 5
#: How often to ask how much is free, which costs a system call.
_LOOK_S = 2.0
#: The least that somebody has to have written to be the one who made it scarce, as a part of what
#: is kept.
_CULPRIT_PART = 32
#: How much less has to be free than at the last time that machines were looked at, as a part of
#: what is kept.
_STEP_PART = 4
#: Where room is short, machines are looked at after so many looks at the disk in any case: room
#: may have come and gone in between.
_QUIET_MAX = 30


@dataclass(frozen=True, slots=True)
class Space:
    """How much of a disk is free."""

    free_bytes: int
    #: What is to stay free.
    kept_bytes: int

    @property
    def is_short(self) -> bool:
        """Whether less is free than is to stay so."""
        return self.free_bytes < self.kept_bytes

    def __str__(self) -> str:
        """Say it in words."""
        return f"the disk has {_gb(self.free_bytes)} free, and {_gb(self.kept_bytes)} are kept so"


def space(folder: Path) -> Space:
    """Return how much is free of the disk that a folder is on, for programs that are not root."""
    found = os.statvfs(folder)
    kept = found.f_blocks * found.f_frsize * _KEPT_PERCENT // 100
    return Space(found.f_bavail * found.f_frsize, min(kept, _KEPT_BYTES_MAX))


def judge(
    now: Space,
    written: Mapping[str, int],
    before: Mapping[str, int],
    sizes: Mapping[str, int],
) -> dict[str, str]:
    """Return the machines whose programs are to be killed, each with the reason.

    Args:
        written: What machines that run have written; bytes.
        before: What they had written when they were last looked at; nothing for those that are new.
        sizes: What each of them may write; bytes.
    """
    over = {
        one: f"disk full: it wrote {_gb(count)}, and its file system has {_gb(sizes[one])}"
        for one, count in written.items()
        if count > sizes.get(one, count)
    }
    if over or not now.is_short or not written:
        return over
    grown = {one: count - before.get(one, 0) for one, count in written.items()}
    worst = max(grown, key=grown.__getitem__)
    if grown[worst] < now.kept_bytes // _CULPRIT_PART:
        return {}  # somebody else did it: to kill machines would help nobody
    return {worst: f"disk full: {now}, and it wrote {_gb(grown[worst])} last"}


class Watch:
    """Looks at a disk, and ends the programs of machines that fill it.

    Args:
        folder: On the disk.
        sizes: Returns the machines that run, and what each may write; bytes.
        written: Returns what machines have written; bytes. Those that are gone are left out.
        end: Kills the program of a machine, and says why.
    """

    def __init__(
        self,
        folder: Path,
        sizes: Callable[[], Mapping[str, int]],
        written: Callable[[Collection[str]], Awaitable[Mapping[str, int]]],
        end: Callable[[str, str], None],
    ) -> None:
        self._folder = folder
        self._sizes = sizes
        self._written = written
        self._end = end
        #: What they had written when they were last looked at; None where they never were.
        self._before: Mapping[str, int] | None = None
        #: What was free then, or more since.
        self._free_bytes = 0
        #: How often the disk was looked at since.
        self._quiet = 0
        self._chores = Chores("the watch over the disk")

    def open(self) -> None:
        """Begin, at once: what machines write that are started from now on is all news."""
        self._chores.repeat(self._look_if_possible, lambda: asyncio.sleep(_LOOK_S))

    async def close(self) -> None:
        """End. Repeating is safe."""
        await self._chores.close()

    async def look(self) -> None:
        """Look once, and do what is to be done.

        The first look ends nobody for what was written before: nobody knows how long ago.
        """
        now = space(self._folder)
        if self._before is not None and self._is_quiet(now):
            self._free_bytes = max(self._free_bytes, now.free_bytes)
            return
        self._free_bytes, self._quiet = now.free_bytes, 0
        sizes = self._sizes()
        written = await self._written(sizes)
        before = written if self._before is None else self._before
        for machine, why in judge(now, written, before, sizes).items():
            self._end(machine, why)
        self._before = written

    def _is_quiet(self, now: Space) -> bool:
        """Whether nobody can have written much since machines were last looked at."""
        self._quiet += 1
        if now.is_short and self._quiet >= _QUIET_MAX:
            return False
        step = now.kept_bytes // (_CULPRIT_PART if now.is_short else _STEP_PART)
        return now.free_bytes >= self._free_bytes - step

    async def _look_if_possible(self) -> None:
        try:
            await self.look()
        except OSError as error:
            _log.warning("nobody knows how full the disk is: %s", error)


def _gb(count: int) -> str:
    return f"{count / GB:.2f} GB"
