"""The names under which supervisors hold the lease: computer, process, and a number by chance."""

from __future__ import annotations

import os
import secrets
import socket


def new_holder() -> str:
    """Return a name for a supervisor in this process."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


def is_dead(holder: str) -> bool:
    """Return whether a holder was a process of this computer that does not exist any more.

    Where the number was given to another process since, or the holder lives in a container that
    hides it, the answer is wrong, which the guarded writes of the store make harmless.
    """
    host, pid, _ = holder.rsplit(":", 2)
    if host != socket.gethostname():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
