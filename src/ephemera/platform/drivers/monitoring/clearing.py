"""Removes what boots left behind."""

from __future__ import annotations

from pathlib import Path

from ephemera.platform.drivers.monitoring import folder as folders
from ephemera.platform.drivers.monitoring.folder import BootFolder
from ephemera.platform.tools import remove_now


def clear_earlier(folder: BootFolder) -> None:
    """Remove what earlier boots of the machine left, once their monitors are gone."""
    for number in folders.boots(folder.machine):
        earlier = BootFolder(folder.machine, number)
        if number < folder.boot and earlier.bury_ended():
            for path in earlier.leavings():
                remove_now(Path(path))
