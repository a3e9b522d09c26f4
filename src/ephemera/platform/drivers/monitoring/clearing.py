"""Removes what boots left behind."""

from __future__ import annotations

import time
from pathlib import Path

from ephemera.platform.drivers.monitoring import folder as folders
from ephemera.platform.drivers.monitoring.folder import BootFolder
from ephemera.platform.tools import remove_now

#: How long a monitor is waited for that has told of an end. It has little left to do then, unless
#: somebody stopped it, or it has servers to tell that do not listen.
_PATIENCE_S = 5.0
_LOOK_AGAIN_S = 0.002


def clear_earlier(folder: BootFolder) -> None:
    """Remove what earlier boots of the machine left, once their monitors are gone.

    What a monitor holds on to stays until the next boot, or until the machine goes.

    Raises:
        OSError: something cannot be removed.
    """
    for number in folders.boots(folder.machine):
        earlier = BootFolder(folder.machine, number)
        if number < folder.boot and _is_over(earlier):
            for path in earlier.leavings():
                remove_now(Path(path))


def _is_over(boot: BootFolder) -> bool:
    """Bury a boot, however soon after its end; whether that could be done."""
    until = time.monotonic() + _PATIENCE_S
    while not boot.bury_ended():
        if boot.read_exit() is None or time.monotonic() > until:
            return False
        time.sleep(_LOOK_AGAIN_S)  # nobody tells when a lock is free but to who waits for ever
    return True
