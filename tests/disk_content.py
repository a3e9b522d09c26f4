"""Looks into disks, and writes to them, without mounting them: so without being root."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from tests.needs import which


def write(image: Path, name: str, text: str) -> None:
    """Have a file be in a disk."""
    with tempfile.NamedTemporaryFile("w") as source:
        source.write(text)
        source.flush()
        _run("debugfs", "-w", "-R", f"write {source.name} {name}", str(image))
    assert read(image, name) == text


def read(image: Path, name: str) -> str:
    """Return what a file in a disk holds; empty where there is none."""
    return _run("debugfs", "-R", f"cat {name}", str(image))


def is_whole(image: Path) -> bool:
    """Whether the file system has no fault, with its journal replayed as mounting does."""
    with tempfile.TemporaryDirectory() as folder:
        copy = f"{folder}/copy"
        _run("cp", str(image), copy)
        _run("e2fsck", "-E", "journal_only", "-y", copy)
        look = [_tool("e2fsck"), "-f", "-n", copy]
        return subprocess.run(look, capture_output=True, check=False).returncode == 0


def _tool(name: str) -> str:
    path = which(name)
    assert path
    return path


def _run(name: str, *arguments: str) -> str:
    done = subprocess.run([_tool(name), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout
