"""System calls that Python has no function for, or has only since a later version. Linux only.

Each raises OSError with what was being done. Numbers of system calls are the same on every
architecture since they were unified (Linux 5.0). Standard library only.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import struct
from collections.abc import Callable

# PyDLL keeps hold of the interpreter during a call: what is called here is short, and `clone`
# returns twice.
_libc = ctypes.PyDLL(None, use_errno=True)
_python = ctypes.pythonapi

CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS = 0x20000, 0x2000000, 0x4000000
CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID = 0x8000000, 0x10000000, 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC, MS_PRIVATE, MS_SLAVE = 4096, 16384, 1 << 18, 1 << 19
MS_STRICTATIME = 1 << 24
MNT_DETACH = 2

_OPEN_TREE, _MOVE_MOUNT, _CLONE3, _OPENAT2, _MOUNT_SETATTR = 428, 429, 435, 437, 442
_OPEN_TREE_CLONE, _AT_RECURSIVE, _AT_EMPTY_PATH, _AT_FDCWD = 1, 0x8000, 0x1000, -100
_MOVE_MOUNT_F_EMPTY_PATH = 4
#: Mapped owners, no setuid, no devices.
_MOUNT_ATTRIBUTES = 0x100000 | 0x2 | 0x4
_RESOLVE_NO_MAGICLINKS, _RESOLVE_IN_ROOT = 0x02, 0x10
#: Tries, of some microseconds each.
_RESOLVED_WITHIN = 10_000
_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15
#: In `/proc/self/stat`, counted from the one behind the name; see `man 5 proc`.
_ARG_START = 45


def _failed(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{what}: {os.strerror(number)}")


def in_user_namespace() -> bool:
    """Whether the root that this process may be is not the computer's."""
    try:
        with open("/proc/self/uid_map") as file:
            return file.read().split() != ["0", "0", str(2**32 - 1)]
    except FileNotFoundError:  # a system without
        return False


def unshare(flags: int) -> None:
    """Leave some of the namespaces of this process for new ones."""
    if _libc.unshare(flags):
        raise _failed("unshare")


def setns(fd: int, kind: int) -> None:
    """Enter the namespace that `fd` is open on."""
    if _libc.setns(fd, kind):
        raise _failed("setns")


def mount(source: str, target: str, kind: str, flags: int = 0, options: str = "") -> None:
    """Mount something."""
    words = (os.fsencode(word) if word else None for word in (source, target, kind))
    if _libc.mount(*words, ctypes.c_ulong(flags), os.fsencode(options) or None):
        raise _failed(f"mount {kind or source} at {target}")


def unmount(target: str) -> None:
    """Take a mount out of sight, and away once nobody uses it any more."""
    if _libc.umount2(os.fsencode(target), MNT_DETACH):
        raise _failed(f"unmount {target}")


def die_with_parent() -> None:
    """Have this process killed when the one that made it ends."""
    if _libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0):
        raise _failed("prctl")


def call_process(name: str) -> None:
    """Have this process shown under a name, of at most 15 bytes, in the place of its arguments."""
    _libc.prctl(_PR_SET_NAME, name.encode(), 0, 0, 0)
    with open("/proc/self/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    begin, end = int(fields[_ARG_START]), int(fields[_ARG_START + 1])
    if end - begin > len(name):  # both are 0 where we may not know
        ctypes.memset(begin, 0, end - begin)
        ctypes.memmove(begin, name.encode(), len(name))


def idmapped(folder: str, userns: int, target: str, *, recursive: bool = False) -> None:
    """Show `folder` at `target` with the owners that a user namespace has for them.

    There is no device in it, and no program that becomes somebody else.

    Args:
        userns: A descriptor of the user namespace.
        recursive: With everything that is mounted below it.
    """
    depth = _AT_RECURSIVE if recursive else 0
    flags = _OPEN_TREE_CLONE | depth | os.O_CLOEXEC
    tree = _libc.syscall(_OPEN_TREE, _AT_FDCWD, os.fsencode(folder), flags)
    if tree < 0:
        raise _failed(f"open_tree {folder}")
    try:
        attributes = struct.pack("=QQQQ", _MOUNT_ATTRIBUTES, 0, 0, userns)
        how = _AT_EMPTY_PATH | depth
        if _libc.syscall(_MOUNT_SETATTR, tree, b"", how, attributes, len(attributes)):
            raise _failed(f"mount_setattr {folder}")
        place = os.fsencode(target)
        if _libc.syscall(_MOVE_MOUNT, tree, b"", _AT_FDCWD, place, _MOVE_MOUNT_F_EMPTY_PATH):
            raise _failed(f"move_mount {target}")
    finally:
        os.close(tree)


def alone(folder: str) -> int:
    """Return a descriptor of a folder as a mount of its own, which is below none.

    Who is there finds nothing above it, for as long as it is open and afterwards.
    """
    flags = _OPEN_TREE_CLONE | os.O_CLOEXEC
    tree = int(_libc.syscall(_OPEN_TREE, _AT_FDCWD, os.fsencode(folder), flags))
    if tree < 0:
        raise _failed(f"open_tree {folder}")
    return tree


def open_in_root(root: int, path: str, flags: int, mode: int = 0) -> int:
    """Open a path as if `root`, a descriptor of a folder, were the root of the file system.

    Whatever links and `..` the path meets, it stays below `root`. The kernel cannot be sure of that
    while anybody on this computer mounts or renames something, and is asked again then.
    """
    how = struct.pack("=QQQ", flags | os.O_CLOEXEC, mode, _RESOLVE_IN_ROOT | _RESOLVE_NO_MAGICLINKS)
    for _ in range(_RESOLVED_WITHIN):
        fd = int(_libc.syscall(_OPENAT2, root, os.fsencode(path), how, len(how)))
        if fd >= 0:
            return fd
        if ctypes.get_errno() != errno.EAGAIN:
            break
    raise _failed(path)


def clone(flags: int, child: Callable[[], None]) -> int:
    """Fork into new namespaces; return the pid of the new process, which calls `child` and ends.

    Only for a process with a single thread.
    """
    arguments = struct.pack("=11Q", flags, 0, 0, 0, signal.SIGCHLD, *(0,) * 6)
    _python.PyOS_BeforeFork()
    pid = int(_libc.syscall(_CLONE3, arguments, len(arguments)))
    if pid == 0:
        try:
            _python.PyOS_AfterFork_Child()
            child()
        finally:
            os._exit(1)
    error = _failed("clone3") if pid < 0 else None
    _python.PyOS_AfterFork_Parent()
    if error is not None:
        raise error
    return pid
