"""Where the `fly.toml` of a project is."""

from __future__ import annotations

from pathlib import Path

DEFAULT_NAME = "fly.toml"


def find(folder: Path) -> Path | None:
    """Return the `fly.toml` of a folder, or of the nearest one above it; None if there is none."""
    start = folder.absolute()
    for place in (start, *start.parents):
        if (place / DEFAULT_NAME).is_file():
            return place / DEFAULT_NAME
    return None
