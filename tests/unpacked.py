"""Unpacking archives for tests, by the real process in a folder of its own."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path

from ephemera.platform.images import unpacking
from ephemera.platform.images.unpacking import Unpacked
from tests import images

TIMEOUT_S = 100.0


def unpack(data: bytes, folder: Path, *, piece_bytes: int = 65536) -> Unpacked:
    """Unpack what was sent, in pieces, into a folder that is made for it."""

    async def pieces() -> AsyncGenerator[bytes]:
        for at in range(0, len(data), piece_bytes):
            yield data[at : at + piece_bytes]

    async def whole() -> Unpacked:
        async with asyncio.timeout(TIMEOUT_S):
            return await unpacking.unpack(pieces(), folder, "the layer")

    folder.mkdir(parents=True)
    folder.chmod(0o755)
    return asyncio.run(whole())


def unpack_entries(folder: Path, *entries: images.Entry) -> Unpacked:
    """Unpack an archive of entries."""
    return unpack(images.archive(*entries), folder)


def tree(folder: Path) -> Mapping[str, str]:
    """Return what is in a folder: names, and what each of them is in a few words."""
    return {str(path.relative_to(folder)): _described(path) for path in sorted(folder.rglob("*"))}


def _described(path: Path) -> str:
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        return f"-> {path.readlink()}"
    if stat.S_ISDIR(found.st_mode):
        return "opaque folder" if is_opaque(path) else "folder"
    if stat.S_ISCHR(found.st_mode) and found.st_rdev == 0:
        return "whiteout"
    if stat.S_ISREG(found.st_mode):
        return f"'{path.read_text()}'"
    return stat.filemode(found.st_mode)


def is_opaque(folder: Path) -> bool:
    """Return whether overlayfs shows nothing of the layers below a folder."""
    try:
        return os.getxattr(folder, "trusted.overlay.opaque") == b"y"
    except OSError:
        return False
