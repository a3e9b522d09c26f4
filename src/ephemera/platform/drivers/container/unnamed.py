"""Files that a machine's programs have open and whose names are gone: they take room as others do.

No folder has them, so whoever adds up folders does not see them. Standard library only.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from stat import S_ISREG

#: In which `stat` counts, whatever the file system does.
_BLOCK_BYTES = 512


def bytes_of(pids: Iterable[int]) -> int:
    """Return how many bytes such files of a machine's own file system take; each counts once.

    One that is mapped into memory and was closed is not seen.

    Args:
        pids: The processes of the machine.
    """
    found = dict[tuple[int, int], int]()
    for pid in pids:
        with suppress(OSError):  # it has ended
            for file in _unnamed(pid):
                found[file.st_dev, file.st_ino] = file.st_blocks * _BLOCK_BYTES
    return sum(found.values())


def _unnamed(pid: int) -> Iterator[os.stat_result]:
    own = set[str]()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with suppress(OSError):  # it was closed
            file = os.stat(f"/proc/{pid}/fd/{fd}")
            if file.st_nlink or not S_ISREG(file.st_mode):
                continue
            own = own or _overlays(pid)
            if _mount_of(pid, fd) in own:
                yield file


def _overlays(pid: int) -> set[str]:
    """Return the numbers of the mounts that a machine's own file system is made of.

    Not the device of a file tells that: where layers are on several disks, overlayfs makes some up.
    """
    with open(f"/proc/{pid}/mountinfo") as file:
        mounts = (line.partition(" - ") for line in file)
        return {before.split(" ")[0] for before, _, after in mounts if after[:8] == "overlay "}


def _mount_of(pid: int, fd: str) -> str:
    with open(f"/proc/{pid}/fdinfo/{fd}") as file:
        return next((line.split()[1] for line in file if line.startswith("mnt_id:")), "")
