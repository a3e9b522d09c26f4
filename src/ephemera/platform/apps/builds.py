"""The copies of an app's project that its machines ran from, where they are processes.

`ephemera deploy` makes them, in the state folder. They are known by the app's name, which is free
from the moment on in which an app begins to leave: what a new app of that name finds there is its
own from then on.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ephemera.home import builds_folder
from ephemera.platform import tools
from ephemera.platform.records import AppRecord


class Builds:
    """The copies of all apps.

    Args:
        is_taken: Says whether an app that lives has a name.
    """

    def __init__(self, home: Path, is_taken: Callable[[str], bool]) -> None:
        self._home = home
        self._is_taken = is_taken

    async def drop_app(self, app: AppRecord) -> None:
        """Remove those of an app that has no machines any more. Repeating is safe."""
        folder = builds_folder(self._home, app.name)
        gone = folder.with_name(f".{app.id}")  # no app has such a name
        if not self._is_taken(app.name):
            # In one step: an app that is made meanwhile finds none of it.
            with suppress(FileNotFoundError):
                folder.rename(gone)
        await tools.remove(gone)
