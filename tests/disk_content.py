"""Looks into disks, and writes to them, without mounting them: so without being root."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.needs import which


def write(image: Path, name: str, text: str) -> None:
    """Have a file be in a disk."""
    source = image.with_name("written")
    source.write_text(text)
    _run("debugfs", "-w", "-R", f"write {source} {name}", str(image))
    source.unlink()


def read(image: Path, name: str) -> str:
    """Return what a file in a disk holds; empty where there is none."""
    return _run("debugfs", "-R", f"cat {name}", str(image))


def is_whole(image: Path) -> bool:
    """Whether the file system has no fault, with its journal replayed as mounting does."""
    copy = image.with_name("looked-at.img")
    _run("cp", str(image), str(copy))
    try:
        _run("e2fsck", "-E", "journal_only", "-y", str(copy))
        found = subprocess.run(
            [_tool("e2fsck"), "-f", "-n", copy], capture_output=True, check=False
        )
        return found.returncode == 0
    finally:
        copy.unlink()


def _tool(name: str) -> str:
    path = which(name)
    assert path
    return path


def _run(name: str, *arguments: str) -> str:
    done = subprocess.run([_tool(name), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout
