"""What the monitor has to ask of the kernel that Python has no function for.

Loaded by the zygote, so that a forked monitor finds everything ready. Elsewhere than on Linux
each function does what can be done there, which is said where it is called.
"""

from __future__ import annotations

import ctypes
import os
import select
import sys
import time
from typing import NamedTuple

LINUX = sys.platform == "linux"

_PR_SET_NAME, _PR_SET_CHILD_SUBREAPER = 15, 36
_libc = ctypes.CDLL(None, use_errno=True) if LINUX else None


def _host_boot() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return ""


#: Names this run of the computer: a process recorded under another one is dead.
HOST_BOOT = _host_boot()


def name_process(name: str) -> None:
    """Have this process called by a name of at most 15 bytes where `ps` lists it. Linux only."""
    if _libc is not None:
        _libc.prctl(_PR_SET_NAME, name.encode(), 0, 0, 0)


def adopt_orphans() -> None:
    """Make this process the parent of every descendant that loses its own. Linux only."""
    if _libc is not None:
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class Process(NamedTuple):
    """A line of the process table."""

    pid: int
    parent: int
    group: int
    #: Clock ticks since the computer started: with the pid it names a process for ever.
    start: int


#: The states of a thread that has ended, and of one that is stopped.
_ENDED, _STOPPED = (b"Z", b"X"), (b"T", b"t")
_PF_EXITING, _PF_KTHREAD = 0x4, 0x200000
#: SIGKILL among the signals that wait for a process.
_KILLED = 1 << 8
#: To execute a program takes a millisecond, unless its file comes from a slow disk.
_EXECUTED_WITHIN_S = 5.0
_LOOK_S = 0.001
_PAGE_BYTES = 4096


def said(path: str) -> bytes:
    """Return what a file of the kernel's says, of which that is less than a page.

    `open` would ask five times more of the kernel, and a launch reads many of them.
    """
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(file, _PAGE_BYTES)
    finally:
        os.close(file)


def said_at_length(path: str) -> bytes:
    """Return all that a file of the kernel's says, however much that is."""
    file, found = os.open(path, os.O_RDONLY | os.O_CLOEXEC), b""
    try:
        while more := os.read(file, _PAGE_BYTES):
            found += more
    finally:
        os.close(file)
    return found


def _fields(stat: str) -> list[bytes] | None:
    """Return what a `stat` file says after the name of the process; None where that is gone."""
    try:
        # the name, in parentheses, may hold anything, also blanks and parentheses
        return said(stat).rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def _read(pid: int) -> tuple[Process, bytes, int] | None:
    """Return a process with the state of its first thread, and how many threads it has."""
    fields = _fields(f"/proc/{pid}/stat")
    if fields is None:
        return None
    known = Process(pid, int(fields[1]), int(fields[2]), int(fields[19]))
    return known, fields[0], int(fields[17])


def process(pid: int) -> Process | None:
    """Return a living process; None where it is dead, a zombie, or where there is no /proc.

    One whose first thread has ended before the others looks like a zombie, and lives.
    """
    found = _read(pid)
    return found[0] if found and (found[1] not in _ENDED or found[2] > 1) else None


def is_ending(pid: int) -> bool:
    """Whether a process is dead or about to be: killed, or waiting for others to be dead."""
    fields = _fields(f"/proc/{pid}/stat")
    return fields is None or bool(int(fields[6]) & _PF_EXITING or int(fields[28]) & _KILLED)


def is_stopped(pid: int) -> bool:
    """Whether a process is stopped by a signal, or by a debugger."""
    found = _read(pid)
    if found is None:
        return False
    if found[1] in _ENDED and found[2] > 1:
        return all(state in _STOPPED for state in _other_threads(pid))
    return found[1] in _STOPPED


def _other_threads(pid: int) -> list[bytes]:
    """Return the states of the threads of a process that live; its first one does not."""
    try:
        numbers = os.listdir(f"/proc/{pid}/task")
    except (FileNotFoundError, ProcessLookupError):
        return []
    threads = (_fields(f"/proc/{pid}/task/{number}/stat") for number in numbers)
    return [one[0] for one in threads if one and one[0] not in _ENDED]


def start_of_child(pid: int) -> int:
    """Return the start of a child that was not reaped; 0 where there is no /proc."""
    found = _read(pid)
    return found[0].start if found else 0


def mounts() -> list[str]:
    """Return the lines of `/proc/self/mountinfo`; names in them may hold all but line feeds."""
    with open("/proc/self/mountinfo", "rb") as file:
        return os.fsdecode(file.read()).rstrip("\n").split("\n")


def unescaped(name: str) -> str:
    """Return a name as it is that the kernel has printed with `\\040` for a blank."""
    first, *rest = name.split("\\")
    return first + "".join(chr(int(one[:3], 8)) + one[3:] for one in rest)


def inner_pid(pid: int) -> int:
    """Return the number that a process has where it lives, in a namespace of its own perhaps."""
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            for line in file:
                if line.startswith(b"NSpid:"):
                    return int(line.split()[-1])
    except (FileNotFoundError, ProcessLookupError):
        pass  # it is gone, and so is what it was called
    return pid


def processes() -> list[Process]:
    """Return every living process of this computer; [] where there is no /proc."""
    if not LINUX:
        return []
    found = (process(int(name)) for name in os.listdir("/proc") if name.isdigit())
    return [one for one in found if one is not None]


def descendants(ancestor: int) -> list[Process]:
    """Return the living processes that `ancestor` is the parent of, directly or not."""
    children: dict[int, list[Process]] = {}
    for one in processes():
        children.setdefault(one.parent, []).append(one)
    found: list[Process] = []
    ahead = [ancestor]
    while ahead:
        born = children.get(ahead.pop(), [])
        found += born
        ahead += [one.pid for one in born]
    return found


def told(pid: int, what: str) -> bytes:
    """Return what a process was told as it was executed, with a NUL after each word.

    A process that becomes another program has been told nothing for a moment, also when whoever
    started it goes on already. That moment is waited for.

    Args:
        what: `cmdline` or `environ`.

    Raises:
        OSError: it is gone, or not ours to look into.
    """
    until = time.monotonic() + _EXECUTED_WITHIN_S
    while True:
        before = _program(pid)
        with open(f"/proc/{pid}/{what}", "rb") as file:
            found = file.read()
        is_settled = before == _program(pid) != _BECOMING
        if found or is_settled or time.monotonic() > until:
            return found
        select.select([], [], [], _LOOK_S)


#: What is neither dead nor of the kernel's own, and no program yet.
_BECOMING = 0


def _program(pid: int) -> int | None:
    """Return what two programs, one after the other, of a process do not have in common.

    That is where the kernel has put the end of the environment: at random, and `_BECOMING` until
    it is there. None where there is no program.
    """
    fields = _fields(f"/proc/{pid}/stat")
    if fields is None or int(fields[6]) & (_PF_EXITING | _PF_KTHREAD):
        return None
    return int(fields[48])


def environment_holds(pid: int, entry: bytes) -> bool:
    """Whether a process was executed with this entry (`NAME=value`) in its environment."""
    try:
        return entry in told(pid, "environ").split(b"\0")
    except OSError:  # it is gone, or it is not ours to look into and so not of our making
        return False
