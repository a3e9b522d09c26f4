"""Compiles modules for the image, where there is a Python of the image's version to do it.

Bytecode is marked as never to be compared with its source, whose times are all the same.

Source: PEP 552
"""

from __future__ import annotations

import hashlib
import importlib.util
import marshal
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from ephemera.deploy.build import whole
from ephemera.deploy.build.layers import FILE_MODE, FOLDER_MODE, Entry

#: In the header of a file: known by the hash of its source, which nobody is to compare.
_UNCHECKED_HASH = (0b01).to_bytes(4, "little")
#: A large set of dependencies takes half a minute.
_COMPILEALL_TIMEOUT_S = 600


def version_here() -> str:
    """Return the version of the Python that runs."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


class Compiler:
    """Compiles modules of a project, and keeps what it made: the next build compiles what changed.

    Args:
        python: The version that the image has; for another one than ours nothing is compiled.
        kept: The file with what was compiled in the last build; it need not be there.
    """

    def __init__(self, python: str, kept: Path) -> None:
        self._can = python == version_here()
        self._kept = kept
        self._before = _read(kept) if self._can else {}
        self._now: dict[bytes, bytes] = {}
        self._folders: set[str] = set()

    def entries(self, module: Entry) -> Iterator[Entry]:
        """Yield a module's bytecode, with the folder that it is in where that is new.

        Nothing for a file that is not of this Python: it may be a template, or never imported.
        """
        assert isinstance(module.content, Path)
        if not self._can:
            return
        bytecode = self._bytecode(module.content.read_bytes(), f"/{module.name}")
        if not bytecode:
            return
        place = PurePosixPath(module.name)
        folder = str(place.parent / "__pycache__")
        if folder not in self._folders:
            self._folders.add(folder)
            yield Entry(folder, FOLDER_MODE, owner=module.owner)
        name = f"{folder}/{place.stem}.{sys.implementation.cache_tag}.pyc"
        yield Entry(name, FILE_MODE, bytecode, owner=module.owner)

    def keep(self) -> None:
        """Write down what this build has compiled or found, for the next one."""
        if self._now.keys() == self._before.keys():
            return
        whole.write(self._kept, marshal.dumps(self._now))

    def _bytecode(self, source: bytes, name: str) -> bytes:
        parts = (importlib.util.MAGIC_NUMBER, name.encode(), source)
        key = hashlib.sha256(b"\0".join(parts)).digest()
        made = self._before.get(key)
        self._now[key] = _compiled(source, name) if made is None else made
        return self._now[key]


def _read(kept: Path) -> dict[bytes, bytes]:
    try:
        return dict(marshal.loads(kept.read_bytes()))  # noqa: S302 - our own file
    except (OSError, ValueError, EOFError, TypeError):
        return {}


def _compiled(source: bytes, name: str) -> bytes:
    """Return a `.pyc`; empty for what is not Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            code = compile(source, name, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError):
        return b""
    hashed = importlib.util.source_hash(source)
    return importlib.util.MAGIC_NUMBER + _UNCHECKED_HASH + hashed + marshal.dumps(code)


def compile_all(folder: Path, shown_as: str, python: str, project: Path) -> None:
    """Compile all modules of a folder in their places, where there is a Python to do it.

    Args:
        shown_as: Where the folder will be, for tracebacks.
        project: Its virtual environment may have the right Python.
    """
    program = _interpreter(python, project)
    if program is None:
        return
    options = ["-q", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash"]
    places = ["-s", str(folder), "-p", shown_as, str(folder)]
    subprocess.run(
        [program, "-m", "compileall", *options, *places],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_COMPILEALL_TIMEOUT_S,
        check=False,  # some packages bring templates that are not Python
    )


def _interpreter(python: str, project: Path) -> str | None:
    """Return a program that is the right Python; None where there is none."""
    if python == version_here():
        return sys.executable
    in_project = project / ".venv" / "bin" / f"python{python}"
    return str(in_project) if in_project.exists() else shutil.which(f"python{python}")
