"""A list of system calls, written here and made by another process: how one becomes a machine.

Between a fork and the program that a machine is for, some hundred system calls have to be made, and
nothing is to be decided. So they are written down by a monitor, in memory that it shares with a
program of a page that makes one after the other (`programs.caller`). It stops at the first that
fails, unless that failure is expected, and says which one it was.

```
 memory   why │ which │ pid │ call, call, call ...  │ what the calls point to
 call     number │ six arguments │ errors that are no failure │ how many calls to pass over
```
Standard library only. Source: the kernel's tables of system calls, `man 2 syscall`.
"""

from __future__ import annotations

import errno
import mmap
import os
import struct
from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import cache
from typing import Any, Final, NamedTuple, TypeVar, cast

from ephemera.platform.drivers.container.assembly import ARM, Code

#: Where the memory is for the program that makes the calls; and how much of it.
MEMORY: Final = 0x10000000
MEMORY_BYTES: Final = 4 << 20
#: Behind what is said of a failure, and of the process that a call has made.
FIRST: Final = MEMORY + 64
_CALLS_BYTES, _PARTS_BYTES = 96 * 1024, 64 * 1024
_PARTS_AT = FIRST - MEMORY + _CALLS_BYTES
_FAILURE = struct.Struct("=QQ")
_PID_AT, _PID = 16, struct.Struct("=i")
_CALL = struct.Struct("=10Q")
_ALL = 2**64 - 1

#: The numbers on x86-64 and on 64-bit ARM; since Linux 5.0 new ones are the same everywhere.
_NUMBERS = {
    "capset": (126, 91), "chdir": (80, 49), "chroot": (161, 51), "clone": (56, 220),
    "close": (3, 57),
    "close_range": (436, 436), "connect": (42, 203), "dup3": (292, 24), "execve": (59, 221),
    "exit_group": (231, 94), "faccessat": (269, 48), "fchdir": (81, 50), "fchown": (93, 55),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fsopen": (430, 430), "ioctl": (16, 29),
    "keyctl": (250, 219), "mkdirat": (258, 34), "mount": (165, 40), "mount_setattr": (442, 442),
    "move_mount": (429, 429), "openat": (257, 56), "openat2": (437, 437),
    "open_tree": (428, 428),
    "pivot_root": (155, 41), "prctl": (157, 167), "prlimit64": (302, 261), "read": (0, 63),
    "seccomp": (317, 277), "sendmsg": (46, 211), "sethostname": (170, 161),
    "setgroups": (116, 159), "setns": (308, 268), "setpriority": (141, 140),
    "setresgid": (119, 149), "setresuid": (117, 147), "setsid": (112, 157),
    "socket": (41, 198), "symlinkat": (266, 36), "umask": (95, 166), "umount2": (166, 39),
    "unshare": (272, 97), "write": (1, 64),
}  # fmt: skip

T = TypeVar("T")

#: A number, or the address of a text or of bytes, which are put into the memory.
Argument = int | str | bytes | None
#: Whatever a call says, it is not a failure.
ANY: Final = (-1,)
#: In the place of a descriptor: paths are looked for as usual.
AT_FDCWD: Final = -100


class _Part(NamedTuple):
    """Calls that are in more than one list."""

    calls: bytes
    meanings: Sequence[tuple[str, str]]
    #: What they point to, and where that has to be: before what is of one list alone.
    content: bytes
    place: int
    #: The descriptors that the process has after them.
    descriptors: frozenset[int]
    #: By whoever wrote them.
    returned: Any


#: By all that they depend on, and where the content of the next may be.
_parts: dict[Hashable, _Part] = {}
_next_part = _PARTS_AT


class Calls:
    """A list of system calls, and the memory that they refer to.

    Args:
        code: The architecture of whoever makes the calls.
        descriptors: Those that the process has; the kernel gives out the lowest that is free.
    """

    def __init__(self, code: Code, descriptors: Iterable[int]) -> None:
        self._column = 1 if code is ARM else 0
        self._fd = os.memfd_create("calls", os.MFD_CLOEXEC)
        os.ftruncate(self._fd, MEMORY_BYTES)
        self._memory = mmap.mmap(self._fd, MEMORY_BYTES)
        self._meanings: list[tuple[str, str]] = []
        self._data = _PARTS_AT + _PARTS_BYTES
        self._descriptors = set(descriptors)

    def fileno(self) -> int:
        """Return a descriptor of the memory."""
        return self._fd

    def end(self) -> None:
        """Give up our side of the memory. Repeating is safe."""
        if self._fd >= 0:
            self._memory.close()
            os.close(self._fd)
        self._fd = -1

    def add(
        self,
        name: str,
        *arguments: Argument,
        expected: Sequence[int] = (),
        over_zero: int = 0,
        over_more: int = 0,
        what: str = "",
        refusal: str = "",
    ) -> None:
        """Add a call.

        Args:
            expected: Errors that are no failure.
            over_zero: How many calls to pass over if it returns 0.
            over_more: How many if it returns more.
            what: What is being done, for whoever reads that it failed, and why.
            refusal: What is read instead, where that says all.

        Raises:
            OSError: there is no room for it: `E2BIG`, as of a command that is too long.
        """
        place = FIRST - MEMORY + len(self._meanings) * _CALL.size
        if place + _CALL.size > _PARTS_AT:
            raise OSError(errno.E2BIG, os.strerror(errno.E2BIG))
        words = [0] * 6
        for at, one in enumerate(arguments):  # a launch adds hundreds: not a call for each of them
            if isinstance(one, int):
                words[at] = one & _ALL
            elif one is not None:
                words[at] = self.put(one if isinstance(one, bytes) else os.fsencode(one) + b"\0")
        tolerated = _tolerated(tuple(expected)) if expected else 0
        passed = over_zero * _CALL.size, over_more * _CALL.size
        number = _NUMBERS[name][self._column]
        _CALL.pack_into(self._memory, place, number, *words, tolerated, *passed)
        self._meanings.append((what or name, refusal))

    def part(self, key: Hashable, write: Callable[[], T]) -> T:
        """Add calls that are the same whenever they are added with this key.

        They are put together once, and copied from then on: most of a launch is the same for all
        machines, and to write it down again takes longer than to have it done.

        Args:
            key: All that they depend on, but for the descriptors that there are.
            write: Adds them.

        Returns:
            What `write` has returned, be it for an earlier list.
        """
        whole = (self._column, frozenset(self._descriptors), key)
        part = _parts.get(whole)
        if part is None:
            return self._write_part(whole, write)
        place = FIRST - MEMORY + len(self._meanings) * _CALL.size
        if place + len(part.calls) > _PARTS_AT:
            raise OSError(errno.E2BIG, os.strerror(errno.E2BIG))
        self._memory[place : place + len(part.calls)] = part.calls
        self._memory[part.place : part.place + len(part.content)] = part.content
        self._meanings += part.meanings
        self._descriptors = set(part.descriptors)
        return cast("T", part.returned)

    def _write_part(self, key: Hashable, write: Callable[[], T]) -> T:
        """Add calls, and keep them for other lists while there is room for that."""
        global _next_part
        place, before, data = _next_part, len(self._meanings), self._data
        if place > _PARTS_AT + _PARTS_BYTES // 2:
            return write()
        self._data = place
        try:
            returned = write()
            _next_part = self._data
        finally:
            self._data = data
        if _next_part > _PARTS_AT + _PARTS_BYTES:
            raise OSError(errno.E2BIG, os.strerror(errno.E2BIG))
        begin, end = (FIRST - MEMORY + one * _CALL.size for one in (before, len(self._meanings)))
        content, descriptors = self._memory[place:_next_part], frozenset(self._descriptors)
        calls = self._memory[begin:end]
        meanings = self._meanings[before:]
        _parts[key] = _Part(calls, meanings, content, place, descriptors, returned)
        return returned

    def open(self, name: str, *arguments: Argument, what: str = "") -> int:
        """Add a call that returns a descriptor, and return that."""
        self.add(name, *arguments, what=what)
        number = next(one for one in range(1 << 16) if one not in self._descriptors)
        self._descriptors.add(number)
        return number

    def close(self, descriptor: int) -> None:
        """Close a descriptor."""
        self.add("close", descriptor)
        self._descriptors.discard(descriptor)

    def make_file(self, path: str) -> None:
        """Make an empty file, for something to be mounted on."""
        flags = os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self.close(self.open("openat", AT_FDCWD, path, flags, 0o666, what=path))

    def put(self, content: bytes) -> int:
        """Put something into the memory, and return the address that it has there.

        Raises:
            OSError: there is no room for it: `E2BIG`.
        """
        place, end = self._data, self._data + len(content)
        if end > MEMORY_BYTES:
            raise OSError(errno.E2BIG, os.strerror(errno.E2BIG))
        self._memory[place:end] = content
        self._data = end + -end % 8  # numbers are aligned
        return MEMORY + place

    @property
    def pid_place(self) -> int:
        """The address at which the kernel is to write the number of a process that is made."""
        return MEMORY + _PID_AT

    @property
    def pid(self) -> int:
        """The number of the process that was made; 0 if none was."""
        return int(_PID.unpack_from(self._memory, _PID_AT)[0])

    @property
    def failure(self) -> str:
        """What failed, and why; empty if nothing did."""
        number, address = _FAILURE.unpack_from(self._memory)
        if not number:
            return ""
        what, refusal = self._meanings[(address - FIRST) // _CALL.size]
        return refusal or f"{what}: {os.strerror(number)}"


@cache
def _tolerated(expected: tuple[int, ...]) -> int:
    """Return errors that are no failure as bits."""
    return _ALL if expected == ANY else sum(1 << one for one in expected)
