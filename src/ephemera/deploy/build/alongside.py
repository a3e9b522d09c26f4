"""Ephemera itself, given along with a build of a `Dockerfile` that asks for it.

```
COPY --from=ephemera / /opt/ephemera/
RUN pip install --constraint /opt/ephemera/constraints.txt --requirement requirements.txt
```

An image that Ephemera was installed into from an index needs none of this. One made from a checkout
does: an index has no such version, or a stranger's of the same name. Without `ephemera deploy` such
a `Dockerfile` fails, rather than taking that one.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ephemera.deploy.build import ourselves
from ephemera.deploy.build.request import Tell

#: What it is called in a `Dockerfile`, in the place of a stage or an image.
NAME = "ephemera"
#: Where a `Dockerfile` has to copy it to: its constraints name the wheel by this path.
PLACE = Path("/opt/ephemera")
_ASKS = re.compile(rf"^(\s*COPY\s+(?:--\S+\s+)*--from=){NAME}(?=\s)", re.IGNORECASE | re.MULTILINE)
_HAS_ITS_OWN = re.compile(rf"^\s*FROM\s.*\sAS\s+{NAME}\s*$", re.IGNORECASE | re.MULTILINE)


@contextmanager
def given(dockerfile: Path, tell: Tell) -> Iterator[Path | None]:
    """Have a folder with a wheel of what is installed here, and `constraints.txt` that names it.

    None where the `Dockerfile` does not ask for it. The same Ephemera is the same files, so that
    steps of earlier builds are used again.
    """
    found = ourselves.here() if _asks(dockerfile) else None
    if found is None:
        yield None
        return
    tell(f"ephemera {found.version}: the one that runs here is given along")
    with tempfile.TemporaryDirectory(prefix="ephemera-wheel-") as made:
        found.constrain(Path(made), seen_as=PLACE)
        yield Path(made)


def renamed(dockerfile: Path, image: str, folder: Path) -> Path:
    """Write a `Dockerfile` once more, in which Ephemera is copied from an image of another name.

    Its lines keep their numbers. What it has builds ignore goes with it: that is looked for beside
    it.

    Args:
        folder: Where it is written; it is made.
    """
    folder.mkdir()
    text = dockerfile.read_bytes().decode(errors="surrogateescape")
    copy = folder / dockerfile.name
    asks = _ASKS.sub(lambda found: found[1] + image, text)
    copy.write_bytes(asks.encode(errors="surrogateescape"))
    ignored = dockerfile.with_name(f"{dockerfile.name}.dockerignore")
    if ignored.is_file():
        shutil.copyfile(ignored, folder / ignored.name)
    return copy


def _asks(dockerfile: Path) -> bool:
    text = dockerfile.read_text(errors="replace")
    return _ASKS.search(text) is not None and _HAS_ITS_OWN.search(text) is None
