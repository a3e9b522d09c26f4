"""A disk that is full, told as that."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ephemera.errors import BuildError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


@contextmanager
def no_room(path: Path) -> Iterator[None]:
    """Turn the error of a full disk into one that says which; others pass.

    Raises:
        BuildError: there is no room left where `path` is.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise BuildError(
            f"there is no room left on the disk of {path.parent}",
            hint="make room there; `ephemera images prune` removes images that nothing uses",
        ) from error
