"""Ephemera itself among the dependencies of a project, where it was installed from a checkout.

An index has no such version, or a stranger's of the same name. So what is installed here is made
into a wheel, and the installer is told by a constraint to take that one.
"""

from __future__ import annotations

import base64
import hashlib
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import ephemera
from ephemera.deploy.build.locks import Locked

_NAME = "ephemera"
#: A line of a requirements file that asks for us, unless it says from where.
_ASKS_FOR_US = re.compile(rf"^{_NAME}(\[.*\])?\s*($|[<>=!~;#])", re.MULTILINE)
#: What an installer notes about a package that is from no index. https://peps.python.org/pep-0610/
_FROM_NO_INDEX = "direct_url.json"
#: What of the installed one's description goes into the wheel as it is.
_DESCRIPTION = ("METADATA", "entry_points.txt")
_WHEEL = "Wheel-Version: 1.0\nGenerator: ephemera\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
#: The earliest hour that a zip archive knows: the same files are the same wheel.
_MADE_AT = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Ourselves:
    """What is installed here, as the files of a wheel by their names."""

    version: str
    files: dict[str, bytes]

    @property
    def known_by(self) -> str:
        """What tells this one from any other."""
        return hashlib.sha256(self._record().encode()).hexdigest()

    def constrain(self, folder: Path, seen_as: Path | None = None) -> Path:
        """Write the wheel into a folder, and a file of constraints that names it; return that.

        Args:
            seen_as: The absolute path of the folder where the installer is, if it is another one.
        """
        wheel = folder / f"{_NAME}-{self.version}-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            for name, data in self.files.items():
                archive.writestr(zipfile.ZipInfo(name, _MADE_AT), data)
            record = zipfile.ZipInfo(f"{_description(self.version)}/RECORD", _MADE_AT)
            archive.writestr(record, self._record())
        constraints = folder / "constraints.txt"
        constraints.write_text(f"{_NAME} @ {((seen_as or folder) / wheel.name).as_uri()}\n")
        return constraints

    def _record(self) -> str:
        """Return the list of the files that a wheel has in it, with their digests."""
        lines = [f"{name},{_digest(data)},{len(data)}" for name, data in self.files.items()]
        return "\n".join([*lines, f"{_description(self.version)}/RECORD,,", ""])


def needed(locked: Locked) -> Ourselves | None:
    """Return what is installed here where a project asks for it and no index has it, else None.

    A lock file that is whole says from where everything is, and is taken at its word.
    """
    if locked.is_whole or not _ASKS_FOR_US.search(locked.known_by):
        return None
    return here() if is_from_no_index() else None


def is_from_no_index() -> bool:
    """Return whether what is installed here was installed from a checkout or a file."""
    installed = _installed()
    return installed is not None and installed.read_text(_FROM_NO_INDEX) is not None


def here() -> Ourselves | None:
    """Return what is installed here, from wherever; None where it runs without being installed."""
    installed = _installed()
    return Ourselves(installed.version, dict(_files(installed))) if installed else None


def _installed() -> metadata.Distribution | None:
    try:
        return metadata.distribution(_NAME)
    except metadata.PackageNotFoundError:
        return None


def _files(installed: metadata.Distribution) -> Iterator[tuple[str, bytes]]:
    """Yield what belongs into the wheel, also where the source itself is what is installed."""
    package = Path(ephemera.__file__).parent
    for path in sorted(package.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield f"{_NAME}/{path.relative_to(package).as_posix()}", path.read_bytes()
    folder = _description(installed.version)
    for name in _DESCRIPTION:
        yield f"{folder}/{name}", (installed.read_text(name) or "").encode()
    yield f"{folder}/WHEEL", _WHEEL.encode()


def _description(version: str) -> str:
    return f"{_NAME}-{version}.dist-info"


def _digest(data: bytes) -> str:
    digest = hashlib.sha256(data).digest()
    return "sha256=" + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
