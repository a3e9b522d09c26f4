"""How a monitor whose boot has ended becomes as it was before it had one.

It proves that, or it ends: children, descriptors, memory. What a body has beside those, it gives up
by itself (`Kind.renew`). Standard library only.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from contextlib import suppress

from ephemera.platform.drivers.monitoring import kernel

#: After so many boots it ends in any case: whatever may have been overlooked does not add up.
_BOOTS_MAX = 100
#: How much more memory it may have than after its first boot, in pages: a boot may be large.
_PAGES_MORE_MAX = 512
_DESCRIPTORS = "/proc/self/fd"


class Usual:
    """What a spare has before it prepares for a boot.

    Args:
        kept: The descriptors that it keeps beside its standard streams.
    """

    def __init__(self, *kept: int) -> None:
        self._kept = {0, 1, 2, *kept}
        self._boots = 0
        self._pages = 0

    def restored(self) -> bool:
        """Give up what there is beside that; whether nothing is left. Only on Linux it can be."""
        self._boots += 1
        if self._boots >= _BOOTS_MAX or not os.path.isdir(_DESCRIPTORS):
            return False
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        sys.excepthook = sys.__excepthook__
        # before descriptors are closed, whose objects would close others later; those of the boot
        gc.collect(0)
        for one in self._others():
            os.close(one)
        os.chdir("/")
        return not (self._others() or _has_children() or self._has_grown())

    def _others(self) -> list[int]:
        found = [int(name) for name in os.listdir(_DESCRIPTORS)]
        return [one for one in found if one not in self._kept and _is_open(one)]

    def _has_grown(self) -> bool:
        pages = int(kernel.said("/proc/self/statm").split()[1])
        self._pages = self._pages or pages
        return pages > self._pages + _PAGES_MORE_MAX


def _is_open(fd: int) -> bool:
    """Whether it is open still: the one through which the list was read is not."""
    with suppress(OSError):
        os.fstat(fd)
        return True
    return False


def _has_children() -> bool:
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return False
    return True
