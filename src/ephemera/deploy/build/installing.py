"""Installs a project's dependencies into a folder, for another computer than this one.

By `uv` where it is, else by `pip`. Only wheels are installed: nothing of a package is run here, and
what would be built here might not run there.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ephemera.deploy.build.locks import Locked
from ephemera.deploy.build.markers import applied
from ephemera.deploy.build.programs import run
from ephemera.deploy.build.request import Tell
from ephemera.errors import BuildError

#: What Python calls an architecture of images.
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64", "arm": "armv7l", "386": "i686"}
#: The versions of glibc that a wheel may be for: up to that of Debian 12, the oldest system that
#: Python's images are made of. https://peps.python.org/pep-0600/
_GLIBC = range(36, 4, -1)
_GLIBC_LEGACY = ("manylinux2014", "manylinux2010", "manylinux1")
_MUSL = range(2, -1, -1)
#: Names that uv knows; newer ones are not known to every uv.
_UV_GLIBC, _UV_MUSL = "manylinux_2_28", "unknown-linux-musl"
#: Which one of its version a Python is, is seldom asked, and images have the newest.
_PATCH = 99
#: Of an installer's words in a message.
_SHOWN_MAX = 500
#: Said of a package that is not there, or not for this system: both installers tell them apart only
#: where their index does.
_NO_WHEEL = re.compile(r"\(from versions: none\)|has no (?:usable )?wheels")


@dataclass(frozen=True, slots=True)
class Target:
    """The computer that dependencies are for.

    Attributes:
        python: The version, `3.12`.
        architecture: In the words of images, `amd64`.
        is_musl: Whether its C library is musl, as in Alpine.
    """

    python: str
    architecture: str
    is_musl: bool = False

    @property
    def machine(self) -> str:
        """What Python calls the architecture."""
        return _MACHINES.get(self.architecture, self.architecture)

    @property
    def environment(self) -> Mapping[str, str]:
        """What the variables in conditions of requirements are there."""
        full = f"{self.python}.{_PATCH}"
        return {
            "implementation_name": "cpython",
            "implementation_version": full,
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_system": "Linux",
            "python_full_version": full,
            "python_version": self.python,
            "sys_platform": "linux",
        }

    def __str__(self) -> str:
        return f"Python {self.python} on linux/{self.architecture}"


def install(
    locked: Locked,
    folder: Path,
    project: Path,
    target: Target,
    tell: Tell,
    constraints: Path | None = None,
) -> None:
    """Install what a project depends on into an empty folder.

    Args:
        folder: Beside it a file of the same name with `.txt` may be written.
        constraints: A file that says which one of a package it has to be.

    Raises:
        BuildError: something cannot be resolved or fetched; what the installer said was told.
    """
    file = project / locked.file
    if not locked.file.endswith(".txt"):  # else it may name other files, beside it
        file = folder.with_suffix(".txt")
        counts = locked.requirements
        file.write_text(applied(counts, target.environment) if locked.is_whole else counts)
    command = _command(file, folder, target)
    if locked.is_whole:
        command.append("--no-deps")
    if constraints:
        command += ["-c", str(constraints)]
    code, lines = run(command, tell, cwd=project)
    if code != 0:
        raise _failed(locked, target, lines)


def _command(file: Path, folder: Path, target: Target) -> list[str]:
    uv = shutil.which("uv")
    common = ["--target", str(folder), "--python-version", target.python, "-r", str(file)]
    if uv:
        system = _UV_MUSL if target.is_musl else _UV_GLIBC
        wheels = ["--only-binary", ":all:", "--python-platform", f"{target.machine}-{system}"]
        interpreter = ["--python", sys.executable]
        return [uv, "pip", "install", "--no-progress", *interpreter, *wheels, *common]
    tags = [word for tag in _tags(target) for word in ("--platform", tag)]
    options = ["--only-binary=:all:", "--no-compile", "--implementation", "cp"]
    silent = [
        "--progress-bar=off",
        "--disable-pip-version-check",
        "--no-input",
        "--root-user-action=ignore",
    ]
    return [*_pip(), "install", *options, *silent, *tags, *common]


def _pip() -> Sequence[str]:
    if importlib.util.find_spec("pip"):
        return (sys.executable, "-m", "pip")
    found = shutil.which("pip") or shutil.which("pip3")
    if found is None:
        raise BuildError(
            "there is neither uv nor pip to install dependencies with",
            hint="install one of them: https://docs.astral.sh/uv/, or `python -m ensurepip`",
        )
    return (found,)


def _tags(target: Target) -> list[str]:
    """Return the kinds of wheels that run there, best first, in the words of their file names.

    pip takes what it is told and adds nothing.
    """
    if target.is_musl:
        kinds = [f"musllinux_1_{minor}" for minor in _MUSL]
    else:
        kinds = [f"manylinux_2_{minor}" for minor in _GLIBC]
        kinds += _GLIBC_LEGACY
    return [f"{kind}_{target.machine}" for kind in (*kinds, "linux")]


def _failed(locked: Locked, target: Target, lines: Sequence[str]) -> BuildError:
    reason = _reason(lines)
    hint = f"look at {locked.file} and at what was said above"
    if any(_NO_WHEEL.search(line) for line in lines):
        hint = (
            f"look at the package's name; one that has no wheel for {target} needs a Dockerfile,"
            " and `--builder buildah` or `--builder docker`"
        )
    said = f": {reason}" if reason else ""
    return BuildError(
        f"the dependencies in {locked.file} cannot be installed for {target}{said}", hint=hint
    )


def _reason(lines: Sequence[str]) -> str:
    """Return the last error in a line: pip says one in a line, uv goes on in the next ones."""
    begins = [number for number, line in enumerate(lines) if line.lower().startswith("error")]
    if not begins:
        return ""
    return " ".join(" ".join(lines[begins[-1] :]).split())[:_SHOWN_MAX]
