"""The layer of a project's dependencies, made once for as long as its lock file is the same.

```
build/dependencies/<key>/layer      the archive
                        /about      its digests and size
```

The key is of all that decides what is installed. What is not whole has no such name.
"""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ephemera.deploy.build import bytecode, installing, locks, ourselves
from ephemera.deploy.build.installing import Target
from ephemera.deploy.build.layers import (
    FILE_MODE,
    FOLDER_MODE,
    PROGRAM_MODE,
    Entry,
    Layer,
    write,
)
from ephemera.deploy.build.leftovers import remove_leftovers
from ephemera.deploy.build.locks import Locked
from ephemera.deploy.build.ourselves import Ourselves
from ephemera.deploy.build.request import Tell
from ephemera.deploy.build.shortage import no_room
from ephemera.deploy.build.tree import Found, all_files
from ephemera.deploy.build.venv import Venv

#: Goes up when the same input is made into another layer.
_FORMAT = 2
#: How the names of folders begin in which a layer is being made.
_NEW = "new-"
#: What the kernel says where a folder is renamed to one that is there.
_THERE_IS_ONE = (errno.ENOTEMPTY, errno.EEXIST)
#: Of all projects. What was not used for longest goes.
_KEPT_LAYERS = 20


@dataclass(frozen=True, slots=True)
class Dependencies:
    """Makes the layer, or finds it.

    Attributes:
        project: The project's folder.
        kept: The folder of layers that were made before.
        compression: See `layers.write`.
    """

    project: Path
    target: Target
    venv: Venv
    kept: Path
    compression: str

    def layer(self, tell: Tell, *, fresh: bool = False) -> Layer:
        """Return the layer.

        Args:
            fresh: Make it, also where it was made before.

        Raises:
            BuildError: dependencies cannot be installed; or there is no room.
            ConfigError: the lock file cannot be read.
        """
        locked = locks.find(self.project)
        ours = ourselves.needed(locked)
        place = self.kept / self._key(locked, ours)
        found = None if fresh else _read(place)
        if not locked.is_empty:
            done = "as before" if found else f"installing for {self.target}"
            tell(f"dependencies of {locked.file}: {done}")
        if ours and not found:
            tell(f"ephemera {ours.version}: the one that runs here, which is from no index")
        if found:
            return found
        self.kept.mkdir(parents=True, exist_ok=True)
        remove_leftovers(self.kept, f"{_NEW}*")
        with no_room(place), tempfile.TemporaryDirectory(dir=self.kept, prefix=_NEW) as made:
            self._make(Path(made), locked, ours, tell)
            _put(Path(made), place, fresh=fresh)
        _keep_newest(self.kept)
        # A fresh build may just be putting its own there.
        return _read(place) or self.layer(tell)

    def _key(self, locked: Locked, ours: Ourselves | None) -> str:
        parts = [_FORMAT, locked.known_by, str(self.target), self.target.is_musl]
        parts += [self.venv.home, self.compression, bytecode.version_here()]
        parts += [ours.known_by] if ours else []
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def _make(self, place: Path, locked: Locked, ours: Ourselves | None, tell: Tell) -> None:
        installed, whole = place / "installed", place / "whole"
        installed.mkdir()
        whole.mkdir()
        if not locked.is_empty:
            constraints = ours.constrain(place) if ours else None
            installing.install(locked, installed, self.project, self.target, tell, constraints)
            shown_as = f"/{self.venv.packages}"
            bytecode.compile_all(installed, shown_as, self.target.python, self.project)
        layer = write(self._entries(installed), whole / "layer", self.compression)
        about = [layer.digest, layer.diff_id, layer.size, layer.media_type]
        (whole / "about").write_text(json.dumps(about))

    def _entries(self, installed: Path) -> Iterator[Entry]:
        yield from self.venv.entries()
        for found in all_files(installed):
            if found.name != "bin":
                yield self._entry(found)

    def _entry(self, found: Found) -> Entry:
        """Return a file in its place: installers put programs into `bin` among the packages."""
        first, _, rest = found.name.partition("/")
        if first == "bin" and found.is_file:
            return Entry(
                f"{self.venv.programs}/{rest}",
                PROGRAM_MODE,
                self.venv.script(found.path.read_bytes()),
            )
        name = f"{self.venv.packages}/{found.name}"
        if found.is_link:
            return Entry(name, link=str(found.path.readlink()))
        if found.is_folder:
            return Entry(name, FOLDER_MODE)
        return Entry(name, PROGRAM_MODE if found.is_program else FILE_MODE, found.path)


def _put(made: Path, place: Path, *, fresh: bool) -> None:
    """Have a layer in its place, unless another build was faster, and may be sending its own now.

    Args:
        fresh: In the place of one that was made before.
    """
    while fresh or _read(place) is None:
        with suppress(FileNotFoundError):
            place.rename(Path(tempfile.mkdtemp(dir=made), "before"))
        try:
            (made / "whole").rename(place)
        except OSError as error:
            if error.errno not in _THERE_IS_ONE:
                raise
            fresh = False  # that of another build is as fresh
        else:
            return


def _read(place: Path) -> Layer | None:
    """Return a layer that was made before, and have it count as used now."""
    try:
        digest, diff_id, size, media_type = json.loads((place / "about").read_text())
        place.touch()
    except (OSError, ValueError):
        return None
    layer = place / "layer"
    is_whole = layer.exists() and layer.stat().st_size == size
    return Layer(layer, digest, diff_id, size, media_type) if is_whole else None


def _keep_newest(kept: Path) -> None:
    made: list[tuple[float, Path]] = []
    for one in kept.iterdir():
        with suppress(FileNotFoundError):  # another build keeps the newest, too
            if not one.name.startswith(_NEW):
                made.append((one.stat().st_mtime, one))
    for _, one in sorted(made, reverse=True)[_KEPT_LAYERS:]:
        shutil.rmtree(one, ignore_errors=True)
