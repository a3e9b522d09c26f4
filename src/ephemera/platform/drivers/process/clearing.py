"""Removes what boots left behind."""

from __future__ import annotations

import shutil
from pathlib import Path

from ephemera.platform.drivers.process import folder as folders
from ephemera.platform.drivers.process.folder import BootFolder


def clear_earlier(folder: BootFolder) -> None:
    """Remove what earlier boots of the machine left, once their monitors are gone."""
    for number in folders.boots(folder.machine):
        earlier = BootFolder(folder.machine, number)
        if number < folder.boot and earlier.bury_ended():
            for path in map(Path, earlier.leavings()):
                if path.is_dir():
                    remove(path)
                else:
                    path.unlink(missing_ok=True)


def remove(folder: Path) -> None:
    """Remove a folder and all below it, also folders that a program made unreadable."""
    try:
        shutil.rmtree(folder)
    except PermissionError:
        _make_readable(folder)
        shutil.rmtree(folder)


def _make_readable(folder: Path) -> None:
    folder.chmod(0o700)  # before looking inside
    for one in folder.iterdir():
        if one.is_dir() and not one.is_symlink():
            _make_readable(one)
