"""The monitors that live, whatever became of the server that started them."""

from __future__ import annotations

import os

from ephemera.platform.drivers.monitoring import folder as folders
from ephemera.platform.drivers.monitoring import kernel
from ephemera.platform.drivers.monitoring.folder import BootFolder


def monitors(machines: str) -> list[int]:
    """Return the pids of the monitors that live.

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
            if record and first and first.start == record["start"]:
                found.append(first.parent)
    return found
