"""Files of the cache, which several builds at once may write: whole, or not there at all."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ephemera.deploy.build.shortage import no_room

#: How the names of folders begin in which a file is being written.
_NEW = ".new-"


def write(path: Path, content: bytes) -> None:
    """Have a file with this content, whatever was there. Of two writers at once the last one wins.

    Raises:
        BuildError: there is no room; what was there stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # In a folder of this writer's own: another one may be about to write the same file.
    with no_room(path), tempfile.TemporaryDirectory(dir=path.parent, prefix=_NEW) as made:
        fresh = Path(made, path.name)
        fresh.write_bytes(content)
        fresh.replace(path)
