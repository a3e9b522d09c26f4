"""Removes what boots left behind."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from ephemera.platform.drivers.monitoring import folder as folders
from ephemera.platform.drivers.monitoring.folder import BootFolder


def clear_earlier(folder: BootFolder) -> None:
    """Remove what earlier boots of the machine left, once their monitors are gone."""
    for number in folders.boots(folder.machine):
        earlier = BootFolder(folder.machine, number)
        if number < folder.boot and earlier.bury_ended():
            for path in earlier.leavings():
                remove(Path(path))


def remove(folder: Path) -> None:
    """Remove a folder and all below it, whatever a program did to make that hard.

    A file is removed too, and of a link the link alone.

    Raises:
        OSError: something of it is still there.
    """
    if folder.is_symlink() or not folder.is_dir():
        folder.unlink(missing_ok=True)
        return
    try:
        shutil.rmtree(folder)
    except (OSError, RecursionError) as error:  # unreadable, or deeper than Python can follow
        subprocess.run(["/bin/chmod", "-R", "u+rwX", str(folder)], check=False, **_UNHEARD)
        subprocess.run(["/bin/rm", "-rf", str(folder)], check=False, **_UNHEARD)
        if folder.exists():
            raise OSError(f"{folder} cannot be removed") from error


_UNHEARD: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
