"""Copying and removing folders and files with the system's own `cp` and `rm`.

They know what Python's library does not: to share the blocks of a copy where the file system can
(`--reflink`), to keep holes, owners and links, and to go as deep as the folders do. As processes
they can be ended at once when the server stops, and the event loop never waits for a disk.

`remove_now` is for folders of few files, in a thread: there a process takes longer than the work.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

#: Where programs of the system are that only root has in the path.
_PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
_ENVIRONMENT = {"PATH": _PATH, "LC_ALL": "C"}
_REMOVE, _OPEN = ("rm", "-rf", "--"), ("chmod", "-R", "u+rwX", "--")
_UNHEARD: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
#: The clone of a file system is tried first, on Linux and on macOS alike.
_CLONING = ("-c",) if sys.platform == "darwin" else ("--reflink=auto",)
#: What `cp` says of a file that was removed after it had been listed.
_WENT_AWAY = re.compile(r"cp: cannot (stat|open|access) .*: No such file or directory")
#: A file may also be replaced just when it is its turn: then the whole is tried again.
_COPIES_TRIED = 3


class ToolFailed(OSError):
    """A tool did not do what it was asked for; the message is the first thing it said."""


async def copy(source: Path, target: Path) -> None:
    """Copy all that is in a folder into a new one, attributes included.

    The source may be written to meanwhile: what is removed before its turn comes is left out.

    Raises:
        OSError: it could not be copied, for example for want of room. What there is of the
            target is worth nothing.
    """
    for left in reversed(range(_COPIES_TRIED)):
        problems = await _run("cp", "-a", *_CLONING, f"{source}/.", str(target))
        real = [problem for problem in problems if not _WENT_AWAY.match(problem)]
        if not real and _is_there(target):
            return
        if not left:
            raise ToolFailed(real[0] if real else f"{source} is not there")
        await remove(target)


async def copy_file(source: Path, target: Path) -> None:
    """Copy a file into a new one, with its holes and attributes.

    Raises:
        OSError: it could not be copied. What there is of the target is worth nothing.
    """
    await run("cp", "-a", *_CLONING, str(source), str(target))


async def run(*command: str) -> None:
    """Run a tool to its end.

    Raises:
        OSError: it did not do its work.
    """
    problems = await _run(*command)
    if problems:
        raise ToolFailed(problems[0])


async def remove(*paths: Path) -> None:
    """Remove files, or folders and all below them, unreadable ones too. Repeating is safe.

    Raises:
        OSError: something of it is still there.
    """
    there = [str(path) for path in paths if _is_there(path)]
    if there and await _run(*_REMOVE, *there):
        await _run(*_OPEN, *there)
        problems = await _run(*_REMOVE, *there)
        if problems:
            raise ToolFailed(problems[0])


def remove_now(path: Path) -> None:
    """Do the same to one of them, without leaving this thread. Repeating is safe.

    Raises:
        OSError: something of it is still there.
    """
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    try:
        shutil.rmtree(path)
    except (OSError, RecursionError) as error:  # unreadable, or deeper than Python can follow
        for command in (_REMOVE, _OPEN, _REMOVE):
            subprocess.run([*command, str(path)], env=_ENVIRONMENT, check=False, **_UNHEARD)
            if not _is_there(path):
                return
        raise ToolFailed(f"{path} cannot be removed") from error


def _is_there(path: Path) -> bool:
    return os.path.lexists(path)


async def _run(*command: str) -> list[str]:
    """Run a tool to its end; return what it complained about, nothing where it did its work."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env=_ENVIRONMENT,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, said = await process.communicate()
    except asyncio.CancelledError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise
    if process.returncode == 0:
        return []
    lines = said.decode(errors="replace").splitlines()
    return lines or [f"{command[0]} ended with {process.returncode}"]
