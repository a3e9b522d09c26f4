"""The last system calls of a process before it is a program of a machine.

It gives up whatever the machine may not do: capabilities, other users, more rights by executing,
system calls that are filtered, descriptors. Standard library only.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from ephemera.platform.drivers.container import syscalls
from ephemera.platform.drivers.container.calls import AT_FDCWD, Calls
from ephemera.platform.drivers.monitoring.program import NotStarted

_PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 24, 38
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
_SECCOMP_SET_MODE_FILTER, _SECCOMP_FILTER_FLAG_SPEC_ALLOW = 1, 4
_BPF_INSTRUCTION_BYTES = 8
_RLIMIT_NOFILE = 7
_TIOCSCTTY, _TIOCSPTLCK, _TIOCGPTPEER = 0x540E, 0x40045431, 0x5441
_SOL_SOCKET, _SCM_RIGHTS = 1, 1
_UNCHANGED = 2**32 - 1
_RESOLVE_NO_MAGICLINKS = 2
_LINUX_CAPABILITY_VERSION_3 = 0x20080522
#: By their numbers.
_CAPABILITIES = (
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID",
    "SETPCAP", "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW",
    "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT",
    "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD",
    "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
)  # fmt: skip
#: What is no failure where the next of several places is tried.
_ELSEWHERE = (errno.ENOENT, errno.EACCES, errno.ENOTDIR)
#: Why it cannot be said that a file is not there, and why it is not executed either.
_UNKNOWN = (errno.EACCES, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)


def have_streams(calls: Calls, pipes: Sequence[int], user: Mapping[str, Any]) -> None:
    """Have the streams that are pipes be the user's, who may open them anew by `/dev/stdout`."""
    for one in pipes:
        # refused where they belong to somebody who is not known in the machine
        calls.add("fchown", one, user["uid"], user["gid"], expected=(errno.EPERM, errno.EINVAL))


def have_terminal(calls: Calls, console: int, uid: int, *, first: bool) -> None:
    """Have a terminal of the machine for streams, and send our end of it to who began this.

    Args:
        console: A socket that is connected with that one.
        uid: Whose the terminal is.
        first: Whether it is the first of the machine, and so its console.
    """
    what, how = "terminal", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC
    ours = calls.open("openat", AT_FDCWD, "/dev/pts/ptmx", how, what=what)
    calls.add("ioctl", ours, _TIOCSPTLCK, struct.pack("=i", 0), what=what)
    theirs = calls.open("ioctl", ours, _TIOCGPTPEER, how, what=what)
    for stream in range(3):
        calls.add("dup3", theirs, stream, 0)
    calls.add("fchown", theirs, uid, _UNCHANGED, what=what)
    calls.add("ioctl", theirs, _TIOCSCTTY, 0, what=what)
    if first:
        calls.make_file("/dev/console")
        place = ("mount", "/dev/pts/0", "/dev/console", None, syscalls.MS_BIND)
        calls.add(*place, what=what)
    calls.add("sendmsg", console, _message(calls, ours), 0, what=what)


def _message(calls: Calls, descriptor: int) -> bytes:
    """Return what `sendmsg` is given to send a descriptor."""
    content = calls.put(struct.pack("=2Q", calls.put(b"\0"), 1))
    rights = struct.pack("=Q3i4x", 20, _SOL_SOCKET, _SCM_RIGHTS, descriptor)
    return struct.pack("=QI4x2Q2QI4x", 0, 0, content, 1, calls.put(rights), len(rights), 0)


def be_limited(calls: Calls, limits: Sequence[Mapping[str, Any]]) -> None:
    """Have no more files open than a process of a machine may."""
    for one in limits:
        limit = struct.pack("=2Q", one["soft"], one["hard"])
        calls.add("prlimit64", 0, _RLIMIT_NOFILE, limit, 0, what="limit of open files")


def go_to(calls: Calls, folder: str) -> None:
    """Be in a folder, but not by a link of `/proc` to what another process sees."""
    what = f"the working folder '{folder}'"
    flags = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
    how = struct.pack("=3Q", flags, 0, _RESOLVE_NO_MAGICLINKS)
    place = calls.open("openat2", AT_FDCWD, folder, how, len(how), what=what)
    calls.add("fchdir", place, what=what)
    calls.close(place)


def give_up_rights(
    calls: Calls, capabilities: Mapping[str, Sequence[str]], user: Mapping[str, Any]
) -> None:
    """Be a user of the machine, and never have more rights than these."""
    bounding = _bits(capabilities["bounding"])
    for one in range(_capabilities()):
        if not bounding >> one & 1:
            calls.add("prctl", _PR_CAPBSET_DROP, one, 0, 0, 0, what="bounding set")
    groups = user["additionalGids"]
    # refused where the user who is root here is the only one that there is
    refused = () if groups else (errno.EPERM,)
    numbers = struct.pack(f"={len(groups)}I", *groups)
    calls.add("setgroups", len(groups), numbers or None, expected=refused, what="groups")
    calls.add("setresgid", *(user["gid"],) * 3, what=f"group {user['gid']}")
    calls.add("setresuid", *(user["uid"],) * 3, what=f"user {user['uid']}")
    head = struct.pack("=Ii", _LINUX_CAPABILITY_VERSION_3, 0)
    wanted = (_bits(capabilities["effective"]), _bits(capabilities["permitted"]), 0)
    low, high = (one & 0xFFFFFFFF for one in wanted), (one >> 32 for one in wanted)
    calls.add("capset", head, struct.pack("=6I", *low, *high), what="capabilities")
    calls.add("prctl", _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    calls.add("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


@cache
def _capabilities() -> int:
    """Return how many capabilities the kernel has, by now more than those that have names here."""
    with open("/proc/sys/kernel/cap_last_cap") as file:
        return int(file.read()) + 1


def _bits(names: Sequence[str]) -> int:
    return sum(1 << _CAPABILITIES.index(one.removeprefix("CAP_")) for one in names)


def be_filtered(calls: Calls, compiled: bytes) -> None:
    """Make no system calls from now on but those that a machine may make."""
    count, place = len(compiled) // _BPF_INSTRUCTION_BYTES, calls.put(compiled)
    how = (_SECCOMP_SET_MODE_FILTER, _SECCOMP_FILTER_FLAG_SPEC_ALLOW)
    what = "filter of system calls"
    calls.add("seccomp", *how, struct.pack("=H6xQ", count, place), what=what)


def execute(calls: Calls, command: Sequence[str], env: Sequence[str]) -> None:
    """Be the program that a command means, looked for as a shell would.

    Raises:
        NotStarted: there is no room for all that it is told.
    """
    try:
        _execute(calls, command, env)
    except OSError as error:
        why = f"command '{command[0]}' cannot be executed: {error.strerror}"
        raise NotStarted(why) from error


def _execute(calls: Calls, command: Sequence[str], env: Sequence[str]) -> None:
    name, is_path = command[0], "/" in command[0]
    files = [name] if is_path else [os.path.join(one, name) for one in _path(env)]
    words, variables = _texts(calls, command), _texts(calls, env)
    if is_path:
        missing = f"command '{name}' does not exist"
        calls.add("faccessat", AT_FDCWD, name, os.F_OK, expected=_UNKNOWN, refusal=missing)
    expected, what = () if is_path else _ELSEWHERE, f"command '{name}' cannot be executed"
    for file in files:
        calls.add("execve", file, words, variables, expected=expected, what=what)
    # nothing is there, so this is refused
    calls.add("chdir", "", refusal=f"command '{name}' not found in PATH")


def _path(env: Sequence[str]) -> list[str]:
    """Return where a program looks for others."""
    found = next((one for one in env if one.startswith("PATH=")), f"PATH={os.defpath}")
    return found.removeprefix("PATH=").split(":")


def _texts(calls: Calls, texts: Sequence[str]) -> int:
    """Put texts into the memory, and return where their addresses are."""
    places = [calls.put(os.fsencode(one) + b"\0") for one in texts]
    return calls.put(struct.pack(f"={len(places) + 1}Q", *places, 0))
