"""Files by their digest, each once, however many apps have it.

An app has a file by a hard link, so the file system counts who needs what.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


class Pool:
    """The folder with all of them; on one file system with those of the apps."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, fresh: Path, digest: str, place: Path) -> None:
        """Give a file that is whole, and whose digest is known, a place in the folder of an app.

        Repeating is safe; `fresh` stays where it is.
        """
        with suppress(FileExistsError):
            os.link(fresh, self._kept(digest))
        self.share(digest, place)

    def share(self, digest: str, place: Path) -> None:
        """Give a file that is here a place in the folder of one more app. Repeating is safe."""
        place.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            os.link(self._kept(digest), place)

    def drop(self, digest: str, place: Path) -> int:
        """Take a file away from an app; return how many bytes that frees."""
        place.unlink(missing_ok=True)
        return self._release(self._kept(digest))

    def sweep(self) -> int:
        """Remove what no app has; return how many bytes that frees."""
        return sum(self._release(kept) for kept in list(self.folder.iterdir()))

    def _release(self, kept: Path) -> int:
        try:
            found = kept.stat()
        except FileNotFoundError:
            return 0
        if found.st_nlink > 1:
            return 0
        kept.unlink()
        return found.st_size

    def _kept(self, digest: str) -> Path:
        return self.folder / digest.removeprefix("sha256:")
