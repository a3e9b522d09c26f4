"""The Dockerfile of a project."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from ephemera.deploy.build import alongside, ourselves
from ephemera.deploy.rendering import render
from ephemera.deploy.scan.project import Packages, Project

#: Packages of Debian that Python packages need: to be built, and to run.
_SYSTEM: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "psycopg2": (("gcc", "libc6-dev", "libpq-dev"), ("libpq5",)),
    "psycopg": ((), ("libpq5",)),
    "mysqlclient": (
        ("default-libmysqlclient-dev", "gcc", "libc6-dev", "pkg-config"),
        ("libmariadb3",),
    ),
}
#: The first Python that reads TOML itself; in those before it pip does.
_READS_TOML = (3, 11)
#: What brings the library along, so that Debian's is not needed.
_BRINGS_ITS_OWN = {"psycopg": "psycopg-binary"}


@dataclass(frozen=True)
class Copied:
    """Files that are copied into one folder of the image."""

    files: tuple[str, ...]
    folder: str


def dockerfile(project: Project, port: int) -> str:
    """Return the Dockerfile of a project: in stages, packages in a layer of their own.

    It has no part that only BuildKit knows, so that buildah and older Dockers build it too.
    """
    needed = [_SYSTEM[name] for name in sorted(_SYSTEM) if _is_needed(name, project.packages)]
    return render(
        "launch/Dockerfile.jinja",
        project=project,
        packages=project.packages,
        copied=list(_copied(project.packages)),
        build_packages=sorted({name for build, _ in needed for name in build}),
        run_packages=sorted({name for _, run in needed for name in run}),
        port=port,
        reads_toml=_import_of_toml(project.python),
        ours=alongside.PLACE if _needs_ours(project.packages) else None,
    )


def _import_of_toml(python: str) -> str:
    if tuple(map(int, python.split("."))) >= _READS_TOML:
        return "import tomllib"
    return "from pip._vendor import tomli as tomllib"


def _needs_ours(packages: Packages) -> bool:
    """Return whether Ephemera itself has to be given along: no index has the one of a checkout.

    A lock file says from where everything is, and is taken at its word.
    """
    is_locked = packages.manager not in ("pip", "pyproject")
    return alongside.NAME in packages.names and not is_locked and ourselves.is_from_no_index()


def _is_needed(name: str, packages: Packages) -> bool:
    return name in packages.names and _BRINGS_ITS_OWN.get(name) not in packages.names


def _copied(packages: Packages) -> Iterator[Copied]:
    """Yield the files that name the packages, each folder's together, as they are there."""
    folders = {PurePosixPath(file).parent.as_posix() for file in packages.files}
    for folder in sorted(folders):
        files = (f for f in packages.files if PurePosixPath(f).parent.as_posix() == folder)
        yield Copied(tuple(files), "./" if folder == "." else f"./{folder}/")
