"""What builds that were killed have left behind."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

#: No build takes that long, so nobody is at work in a folder that is older.
_OLD_S = 24 * 3600.0


def remove_leftovers(folder: Path, pattern: str) -> None:
    """Remove the folders of builds that ended long ago and did not clear up. Repeating is safe."""
    for path in folder.glob(pattern):
        try:
            is_old = time.time() - path.stat().st_mtime > _OLD_S
        except FileNotFoundError:  # its build has just ended
            continue
        if is_old:
            shutil.rmtree(path, ignore_errors=True)
