"""Removing folders of which nobody knows what is in them, and how deep."""

from __future__ import annotations

import asyncio
import logging
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Sequence
from pathlib import Path

from ephemera.platform import tools

_log = logging.getLogger(__name__)


async def remove(folders: Sequence[Path]) -> None:
    """Remove folders with all that is in them, without holding up anybody. Repeating is safe.

    What cannot be removed is logged, and left for the next start of a server.
    """
    try:
        await tools.remove(*folders)
    except OSError as error:
        _log.warning("not removed: %s", error)


async def flush(folder: Path) -> bool:
    """Have the disk take everything that was written to the file system of a folder.

    Returns whether it has: `sync -f` is not everywhere.
    """
    process = await asyncio.create_subprocess_exec(
        *("sync", "-f", str(folder)), stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE
    )
    _, said = await process.communicate()
    if process.returncode != 0:
        _log.warning("not flushed: %s", said.decode(errors="replace").strip())
    return process.returncode == 0
