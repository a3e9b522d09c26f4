"""How much of the disk folders take.

Asked of `du`, because there may be a million files in them: it is a process of its own, so the
server neither waits nor works for it.
"""

from __future__ import annotations

import asyncio
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

_KB = 1024
#: In one command: its arguments have an end.
_AT_ONCE = 1000


async def of_folders(parent: Path, names: Sequence[str]) -> dict[str, int]:
    """Return how many bytes of the disk each folder in another takes; hard links count once.

    Those that are not there are left out.
    """
    found: dict[str, int] = {}
    for at in range(0, len(names), _AT_ONCE):
        found |= await _asked(parent, names[at : at + _AT_ONCE])
    return found


async def _asked(parent: Path, names: Sequence[str]) -> dict[str, int]:
    process = await asyncio.create_subprocess_exec(
        *("du", "-skx", "--", *names), cwd=parent, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL
    )
    try:
        said, _ = await process.communicate()
    except asyncio.CancelledError:
        await _killed(process)
        raise
    return dict(_read(said.decode(errors="replace")))


def _read(said: str) -> Iterator[tuple[str, int]]:
    for line in said.splitlines():
        count, _, name = line.partition("\t")
        yield name, int(count) * _KB


async def _killed(process: Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()
    await process.wait()
