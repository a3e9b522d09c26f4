"""Starts a program, or says why it cannot be started.

Used for the machine's own program and for commands run beside it. Standard library only.
"""

from __future__ import annotations

import errno
import os
import select
import signal
from collections.abc import Mapping, Sequence

#: What Python, the monitor or whoever started the server ignores, the program would ignore too:
#: executing keeps that. These two are nobody's to ignore.
TO_DEFAULT = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}

_WHY_NOT_EXECUTED = {
    errno.ENOENT: "is missing, or the interpreter that it names is",
    errno.EACCES: "is not executable",
    errno.ENOEXEC: "is not a program that this computer can run",
    errno.E2BIG: "cannot be given this much: arguments and environment are too long",
}


class NotStarted(Exception):
    """The program was not executed; the message says why."""


def ends_in_time(child: int, within_s: float) -> bool:
    """Wait for the end of a child, which is left to be reaped; whether it came. Linux only."""
    pidfd = os.pidfd_open(child)
    try:
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        return bool(poll.poll(within_s * 1000))
    finally:
        os.close(pidfd)


def find(command: str, path: str, folder: str) -> str:
    """Return the file that `command` means, looked for as a shell would.

    Args:
        command: A path, relative to `folder`, or a name that is looked for in `path`.
        path: The `PATH` of the program, not ours.

    Raises:
        NotStarted: there is none, or it is not executable.
    """
    if "/" in command:
        candidates = [os.path.join(folder, command)]
    else:
        candidates = [os.path.join(folder, place, command) for place in path.split(":")]
    files = [one for one in candidates if os.path.isfile(one)]
    for one in files:
        if os.access(one, os.X_OK):
            return one
    if files:
        raise NotStarted(f"command '{command}' is not executable")
    where = "does not exist" if "/" in command else "not found in PATH"
    raise NotStarted(f"command '{command}' {where}")


def start(
    command: Sequence[str], env: Mapping[str, str], folder: str, streams: tuple[int, int, int]
) -> int:
    """Execute a command as the leader of its own session and return its pid.

    By `posix_spawn`, which does not copy the page tables as `fork` does: that halves the time
    of a boot. It knows no working folder, so the monitor, which needs none, goes there itself.

    Args:
        folder: Its working folder.
        streams: The descriptors of its standard input, output and error.

    Raises:
        NotStarted: it was not executed, and no process is left.
    """
    if not command or not command[0]:
        raise NotStarted("there is no command to run")
    if any("\0" in text for text in (*command, *env, *env.values())):
        raise NotStarted("the command or its environment holds a NUL character")
    try:
        os.chdir(folder)
    except OSError as error:
        raise NotStarted(f"the working folder '{folder}': {error.strerror}") from error
    file = find(command[0], env.get("PATH", os.defpath), folder)
    try:
        return os.posix_spawn(
            file,
            list(command),
            env,
            file_actions=[(os.POSIX_SPAWN_DUP2, ours, i) for i, ours in enumerate(streams)],
            setsid=True,
            setsigmask=(),
            setsigdef=TO_DEFAULT,
        )
    except OSError as error:
        why = _WHY_NOT_EXECUTED.get(error.errno or 0, f"cannot be run: {error.strerror}")
        raise NotStarted(f"command '{command[0]}' {why}") from error
