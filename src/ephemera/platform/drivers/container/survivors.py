"""What is there of machines when a server starts: monitors that live, cgroups that nobody owns."""

from __future__ import annotations

import os

from ephemera.platform.drivers.container.cgroups import Tree
from ephemera.platform.drivers.monitoring import folder as folders
from ephemera.platform.drivers.monitoring import kernel
from ephemera.platform.drivers.monitoring.folder import BootFolder
from ephemera.platform.drivers.monitoring.kernel import Process


def monitors(machines: str) -> list[int]:
    """Return the pids of the monitors that live, and were not killed just now.

    Args:
        machines: The folder of the machines; it need not be there.
    """
    if not os.path.isdir(machines):
        return []
    found = []
    for machine in os.scandir(machines):
        for number in folders.boots(machine.path):
            record = BootFolder(machine.path, number).read_record()
            first = kernel.process(record["pid"]) if record else None
            if record and first and first.start == record["start"] and not _ends(first):
                found.append(first.parent)
    return found


def end_strays(tree: Tree) -> None:
    """Remove the cgroups of machines whose monitors were killed, with what is left in them.

    A cgroup has the name of its machine's first process, which ends with its monitor: also where
    either was killed and has had no processor since.
    """
    for name in tree.left():
        pid, _, start = name.partition("-")
        if not (pid.isdecimal() and start.isdecimal()):  # not one of ours
            continue
        first = kernel.process(int(pid))
        if first is None or first.start != int(start) or _ends(first):
            tree.of(name).end()
            tree.of(name).remove()


def _ends(first: Process) -> bool:
    return kernel.is_ending(first.pid) or kernel.is_ending(first.parent)
