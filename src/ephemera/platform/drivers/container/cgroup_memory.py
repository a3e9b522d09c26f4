"""The memory of a cgroup: its limit, how much of it is in use, and having some of it back.

Standard library only.
"""

from __future__ import annotations

import errno
from contextlib import suppress

from ephemera.platform.drivers.container.control_files import ControlFiles


class CgroupMemory:
    """What the controller `memory` does for one cgroup, in the words of both versions."""

    def __init__(self, files: ControlFiles) -> None:
        self._files = files
        self._is_v2 = files.version == 2
        self._used = "memory.current" if self._is_v2 else "memory.usage_in_bytes"

    def limit(self, memory_mb: int, swap_mb: int) -> None:
        """Limit it; what the cgroup has more of is written back or swapped out.

        Raises:
            OSError: it uses more, and that cannot be had back.
        """
        if self._is_v2:
            self._limit_v2(memory_mb << 20, swap_mb << 20)
        else:
            self._limit_v1(memory_mb << 20, (memory_mb + swap_mb) << 20)

    def use(self) -> tuple[int, int]:
        """Return its limit, and how much of that is in use and cannot be had back; bytes.

        Raises:
            FileNotFoundError: there is no such controller here, or the cgroup is gone.
        """
        limit = "memory.max" if self._is_v2 else "memory.limit_in_bytes"
        cache = "inactive_file" if self._is_v2 else "total_inactive_file"
        used = self._number(self._used) - self._files.entry("memory", "memory.stat", cache)
        return self._number(limit), max(0, used)

    def reclaim(self, count: int) -> int:
        """Have what is not needed taken back; return how many bytes that was."""
        before = self._number(self._used)
        with suppress(OSError):  # less than that could be had, which the difference tells
            if self._is_v2:
                self._write("memory.reclaim", str(count))
            else:
                self._write("memory.force_empty", "0")
        return min(count, max(0, before - self._number(self._used)))

    def oom_kills(self) -> int:
        """Return how many of the processes were killed for want of it."""
        file = "memory.events" if self._is_v2 else "memory.oom_control"
        with suppress(FileNotFoundError):
            return self._files.entry("memory", file, "oom_kill")
        return 0

    def _limit_v2(self, memory: int, swap: int) -> None:
        used = self.use()[1]
        if used > memory:  # which version 2 would kill it for
            raise OSError(errno.EBUSY, f"{-(-used >> 20)} MB are in use")
        self._write("memory.max", str(memory))
        with suppress(FileNotFoundError):  # a kernel without swap
            self._write("memory.swap.max", str(swap))

    def _limit_v1(self, memory: int, with_swap: int) -> None:
        both = "memory.memsw.limit_in_bytes"
        in_turn = [("memory.limit_in_bytes", str(memory)), (both, str(with_swap))]
        try:
            self._write(*in_turn[0])
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            in_turn.reverse()  # the limit of both is never below that of memory
            self._write(*in_turn[0])
        with suppress(FileNotFoundError):  # a kernel that does not count swap
            self._write(*in_turn[1])

    def _number(self, file: str) -> int:
        return self._files.number("memory", file)

    def _write(self, file: str, value: str) -> None:
        self._files.write("memory", file, value)
