"""Which group of version 2 a process is in, and where that is seen. Standard library only.

Where the platform is not root of all groups, it lives in a leaf of the group that it was given, as
a group with processes of its own passes no controller on. Machines are beside the leaf:

```
 given group          a scope of systemd's, a service, what a container has
   ephemera-platform  the leaf: the server, its zygote, monitors
   ephemera-1a2b3c…   one for each state folder, see `cgroups`
     123-456789       a machine
```
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from ephemera.platform.drivers.monitoring import kernel

#: The group in which processes of a platform are, and no machine.
LEAF = "ephemera-platform"


class Unified(NamedTuple):
    """The tree of version 2, as it is mounted here."""

    place: str
    #: The group that is seen at this place, by the name that `/proc` has for it.
    top: str

    @staticmethod
    def find(mounts: Sequence[str]) -> Unified | None:
        """Return the first that is mounted, if there is any.

        Args:
            mounts: The lines of `/proc/self/mountinfo`.
        """
        for line in mounts:
            before, _, after = line.partition(" - ")
            if after.startswith("cgroup2 "):
                top, place = before.split(" ")[3:5]
                return Unified(kernel.unescaped(place), kernel.unescaped(top))
        return None

    def folder(self, group: str) -> str:
        """Return where a group is, by the name that `/proc` has; empty where it is not seen."""
        top = self.top.rstrip("/")
        is_above = group.startswith("/..")  # of what a group namespace begins with
        if is_above or not group or not f"{group}/".startswith(f"{top}/"):
            return ""
        return (self.place + group[len(top) :]).rstrip("/")

    def top_for_machines(self, group: str) -> str:
        """Return the folder of the group that those of machines are to be below.

        Args:
            group: The one that this process is in. Beside it, if it is the leaf of a platform.
        """
        folder = self.folder(group)
        return os.path.dirname(folder) if os.path.basename(folder) == LEAF else self.place


def of(pid: int | str = "self") -> str:
    """Return the group of a process, as `/proc` names it; empty where there is none to be known."""
    with suppress(OSError), open(f"/proc/{pid}/cgroup", errors="surrogateescape") as file:
        for line in file:
            if line.startswith("0::"):
                return line[3:].rstrip("\n")
    return ""
