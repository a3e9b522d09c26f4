"""The cgroups of a boot: what limits it, freezes it, and knows all of its processes.

Version 2 has one tree, version 1 one for each controller; both are found where they are mounted.
`Tree.find()` is done once, in the zygote. Standard library only.
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from ephemera.platform.drivers.container import groups
from ephemera.platform.drivers.container.cgroup_memory import CgroupMemory
from ephemera.platform.drivers.container.control_files import ControlFiles, write
from ephemera.platform.drivers.monitoring import ending, kernel

#: Processes and threads of one machine: above what programs have, and below what a computer does.
PIDS_MAX = 4096
_PERIOD_US = 100_000
#: Shares of one cpu: the defaults of version 1 and of version 2.
_SHARES, _WEIGHT = 1024, 100
CONTROLLERS = ("memory", "cpu", "pids", "freezer")
_LOOK_S = 0.001
#: A frozen cgroup is one within milliseconds, unless a process waits for a disk.
_FROZEN_WITHIN_S = 5.0
_REMOVED_WITHIN_S = 10.0
#: How often one is made that goes again meanwhile: each monitor that ends may remove it.
_MADE_ANEW_MAX = 100


class Limits(NamedTuple):
    """What a boot may use."""

    cpus: int
    memory_mb: int
    swap_mb: int


class Tree(NamedTuple):
    """Where cgroups are made on this computer."""

    #: 1 or 2; 0 where there are none to be had.
    version: int
    #: The folder below which they are made, by controller; one for all in version 2.
    roots: Mapping[str, str]
    #: Of version 1 beside which version 2 is mounted: where that is.
    hybrid: str = ""

    @staticmethod
    def find(mounts: Sequence[str] | None = None, group: str | None = None) -> Tree:
        """Return the cgroups that are mounted here.

        Args:
            mounts: The lines of `/proc/self/mountinfo`, which are read where none are given.
            group: The group of version 2 that this process is in; asked for, if it is not given.
        """
        mounts = kernel.mounts() if mounts is None else mounts
        roots, unified = dict[str, str](), groups.Unified.find(mounts)
        for line in mounts:
            before, _, after = line.partition(" - ")
            kind, _, options = after.split(" ", 2)
            if kind == "cgroup":
                place = kernel.unescaped(before.split(" ")[4])
                given = options.split(" ")[-1].split(",")
                roots |= {one: place for one in CONTROLLERS if one in given and one not in roots}
        if "memory" in roots:
            return Tree(1, roots, unified.place if unified else "")
        if unified is None:
            return Tree(0, {})
        return Tree(2, {"": unified.top_for_machines(groups.of() if group is None else group)})

    def prepare(self, name: str) -> Tree:
        """Make the cgroup `name` that those of all boots are below, and return the tree of it.

        Raises:
            OSError: they cannot be made here.
        """
        tree = self._replace(roots={one: f"{root}/{name}" for one, root in self.roots.items()})
        tree.make()
        return tree

    def make(self) -> None:
        """Make the cgroup that those of all boots are below. Repeating is safe.

        While it is not there, systemd takes back what the one above passes on and nobody needs.

        Raises:
            OSError: it cannot be made here.
        """
        for root in set(self.roots.values()):
            for left in reversed(range(_MADE_ANEW_MAX)):
                try:
                    self._make_below(root)
                    break
                except (FileExistsError, FileNotFoundError):
                    if not left:
                        raise

    def _make_below(self, root: str) -> None:
        """Make it for one controller, or all.

        Raises:
            FileExistsError, FileNotFoundError: the last of an earlier server has just removed it.
        """
        if self.version == 2:
            _pass_on(os.path.dirname(root))
        os.makedirs(root, exist_ok=True)
        if self.version == 2:
            _pass_on(root)

    def remove(self) -> None:
        """Remove it again, if none is below it. Repeating is safe."""
        for root in set(self.roots.values()):
            with suppress(OSError):
                os.rmdir(root)

    def of(self, name: str) -> Cgroup:
        """Return the cgroup of a boot, which may not be there."""
        return Cgroup(self, name)

    def left(self) -> set[str]:
        """Return the names of the cgroups that are there."""
        found = set[str]()
        for root in self.roots.values():
            with suppress(FileNotFoundError):
                found |= {one.name for one in os.scandir(root) if one.is_dir()}
        return found


class Cgroup:
    """The cgroup of one boot."""

    def __init__(self, tree: Tree, name: str) -> None:
        self._tree = tree
        #: 1 or 2; 0 where there are none to be had.
        self.version = tree.version
        places = {one: f"{root}/{name}" for one, root in tree.roots.items()}
        self._files = ControlFiles(tree.version, places)
        #: What it has of this computer's memory.
        self.memory = CgroupMemory(self._files)

    @property
    def folders(self) -> list[str]:
        """What a process has to enter to be in it."""
        return self._files.folders

    def make(self) -> None:
        """Make it, with no limits yet.

        Raises:
            OSError: it cannot be made, or is there.
        """
        for folder in self.folders:
            while True:
                try:
                    os.mkdir(folder)
                except FileNotFoundError:  # the last that was there has removed the one above
                    self._tree.make()
                else:
                    break

    def limit(self, limits: Limits) -> None:
        """Limit what its processes may use, as far as this computer has controllers for it.

        Done once, when it was just made.

        Raises:
            OSError: this kernel does not take such a limit.
        """
        quota = limits.cpus * _PERIOD_US
        wanted = [("pids", "pids.max", str(PIDS_MAX))]
        if self.version == 2:
            wanted.append(("cpu", "cpu.max", f"{quota} {_PERIOD_US}"))
            share = ("cpu", "cpu.weight", str(_WEIGHT * limits.cpus))
        else:
            wanted.append(("cpu", "cpu.cfs_quota_us", str(quota)))
            share = ("cpu", "cpu.shares", str(_SHARES * limits.cpus))
        if limits.cpus > 1:  # that of one is what a cgroup is made with
            wanted.append(share)
        for limit in wanted:
            with suppress(FileNotFoundError):  # what is not limited here is said when we start
                self._files.write(*limit)
        with suppress(FileNotFoundError):
            self.memory.limit(limits.memory_mb, limits.swap_mb)

    def pids(self) -> list[int]:
        """Return its processes."""
        for folder in self.folders[:1]:  # they are in all of them
            with suppress(FileNotFoundError):
                return [
                    int(line) for line in kernel.said_at_length(f"{folder}/cgroup.procs").split()
                ]
        return []

    def freeze(self) -> bool:
        """Stop every process of it; whether all of them are stopped in time."""
        if self.version == 2:
            self._files.write("", "cgroup.freeze", "1")
            return self._until("", "cgroup.events", "frozen 1")
        self._files.write("freezer", "freezer.state", "FROZEN")
        return self._until("freezer", "freezer.state", "FROZEN")

    def thaw(self) -> None:
        """Let its processes go on. Repeating is safe, also where it is not there."""
        with suppress(FileNotFoundError):
            if self.version == 2:
                self._files.write("", "cgroup.freeze", "0")
            elif self.version == 1:
                self._files.write("freezer", "freezer.state", "THAWED")

    def end(self) -> None:
        """Kill every process that is in it, and return when each is dead; frozen ones too."""
        while pids := self.pids():
            found = [one for pid in pids if (one := kernel.process(pid))]
            for one in found:
                with suppress(ProcessLookupError):
                    os.kill(one.pid, signal.SIGKILL)
            self.thaw()
            ending.kill_and_see_dead(found)
            if not found:  # zombies that nobody reaped yet
                select.select([], [], [], _LOOK_S)

    def remove(self) -> bool:
        """Remove it, once no process is in it. Repeating is safe.

        The kernel may need a moment after the last process is dead. Whether it is gone.
        """
        left = int(_REMOVED_WITHIN_S / _LOOK_S)
        for folder in self.folders:
            while True:
                try:
                    os.rmdir(folder)
                    break
                except FileNotFoundError:
                    break
                except OSError:
                    if not left:
                        return False
                    left -= 1
                    select.select([], [], [], _LOOK_S)
        return True

    def _until(self, controller: str, file: str, said: str) -> bool:
        left = int(_FROZEN_WITHIN_S / _LOOK_S)
        while said not in self._files.read(controller, file):
            if not left:
                return False
            left -= 1
            select.select([], [], [], _LOOK_S)
        return True


def _pass_on(folder: str) -> None:
    """Have the controllers that a cgroup of version 2 has be there for those below it.

    One that it may not pass on, because processes are in it, is as good as not there.
    """
    with open(f"{folder}/cgroup.controllers") as file:
        there = file.read().split()
    for one in CONTROLLERS:
        if one in there:
            with suppress(OSError):
                write(f"{folder}/cgroup.subtree_control", f"+{one}")
