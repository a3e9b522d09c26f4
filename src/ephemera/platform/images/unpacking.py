"""The server's end of the process that unpacks a layer."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ephemera.errors import ImageUnavailable

#: The folder that holds the `ephemera` package, which the process has to find without `site`.
_PACKAGES = Path(__file__).parents[3]
_PROGRAM = (
    "import sys; sys.path += {paths!r}; from ephemera.platform.unpacker.main import main; main()"
)
#: What may wait for the process, so that neither side waits for the other at each piece.
_AHEAD_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A layer that was unpacked, and what was found out on the way."""

    #: Of what was sent.
    digest: str
    #: Of the archive in it.
    diff_id: str
    entries: int
    #: The contents of its files together; bytes.
    size_bytes: int


async def unpack(pieces: AsyncGenerator[bytes], folder: Path, what: str) -> Unpacked:
    """Unpack a layer, while it is being sent, into an empty folder.

    What has been unpacked when this fails, or is cancelled, is still there; nothing goes on
    making more of it.

    Args:
        what: The layer in words, for messages.

    Raises:
        ImageUnavailable: it cannot be unpacked, or there is no room for it.
        Exception: whatever `pieces` raises.
    """
    process = await asyncio.create_subprocess_exec(
        *command(folder), stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    try:
        async with aclosing(pieces):
            await _feed(process, pieces)
        out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return _result(out, err, process.returncode or 0, what, folder)


def command(folder: Path) -> list[str]:
    """Return how the process is started that unpacks its input into a folder."""
    return [sys.executable, "-I", "-S", "-c", _PROGRAM.format(paths=_paths()), str(folder)]


async def _feed(process: Process, pieces: AsyncGenerator[bytes]) -> None:
    assert process.stdin
    process.stdin.transport.set_write_buffer_limits(high=_AHEAD_BYTES)
    try:
        async for piece in pieces:
            process.stdin.write(piece)
            await process.stdin.drain()
    except (BrokenPipeError, ConnectionResetError):
        return  # it has ended before the layer has, and says why
    finally:
        process.stdin.close()


def _result(out: bytes, err: bytes, code: int, what: str, folder: Path) -> Unpacked:
    if code != 0 or not out:
        last = err.decode(errors="replace").strip().rpartition("\n")[2]
        raise ImageUnavailable(
            f"{what} cannot be unpacked: {last or f'the unpacker ended with {code}'}",
            hint="look at whether the platform may change roots and owners here",
        )
    answer: dict[str, Any] = json.loads(out)
    if "full" in answer:
        raise no_room(what, answer["full"], folder.parent)
    if "bad" in answer:
        raise ImageUnavailable(
            f"{what} cannot be unpacked: {answer['bad']}",
            hint="the image has to be built anew, without that",
        )
    return Unpacked(answer["digest"], answer["diff_id"], answer["entries"], answer["written_bytes"])


def no_room(what: str, why: str, folder: Path) -> ImageUnavailable:
    """Return the error for a disk that is full."""
    return ImageUnavailable(
        f"{what} cannot be unpacked: {why}",
        hint=f"make room where {folder} is; `ephemera images prune` removes unused images",
    )


@cache
def _paths() -> list[str]:
    """Return where the process finds what it imports beside the standard library."""
    found = importlib.util.find_spec("backports.zstd")
    zstd = [str(Path(found.origin).parents[2])] if found and found.origin else []
    return [str(_PACKAGES), *zstd]
