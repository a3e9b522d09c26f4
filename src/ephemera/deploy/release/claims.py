"""Ports that deploys on this computer are about to give away, so that no two give away the same.

Once there is a machine, its labels say which port it has. Until then the port is a byte of a file
that is locked: the kernel lets go of it when the process ends, in whatever way.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class Claims:
    """The claims of one process.

    Args:
        file: The same for all who are to keep apart. It stays, and stays empty.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._descriptor: int | None = None

    def take(self, port: int) -> bool:
        """Claim a port until `close`; return whether it is ours, and no other process's."""
        if self._descriptor is None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
        except (BlockingIOError, PermissionError):
            return False
        return True

    def close(self) -> None:
        """Let go of all ports. Repeating is safe."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
