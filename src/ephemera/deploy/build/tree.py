"""The files of a project that go into its image."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ephemera.deploy.build.ignoring import Ignored, never_sent
from ephemera.deploy.build.request import Tell
from ephemera.errors import BuildError


@dataclass(frozen=True, slots=True)
class Found:
    """A file, a folder or a symbolic link of a project.

    Attributes:
        name: Relative to the project's folder, with `/` between folders.
        path: Where it is.
        mode: Its kind and permissions, as `os.lstat` has them.
        size: In bytes.
    """

    name: str
    path: Path
    mode: int
    size: int

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return stat.S_ISDIR(self.mode)

    @property
    def is_file(self) -> bool:
        """Whether it is an ordinary file."""
        return stat.S_ISREG(self.mode)

    @property
    def is_link(self) -> bool:
        """Whether it is a symbolic link, which may lead anywhere."""
        return stat.S_ISLNK(self.mode)

    @property
    def is_program(self) -> bool:
        """Whether its owner may execute it."""
        return bool(self.mode & stat.S_IXUSR)


def files(folder: Path, ignored: Ignored) -> Iterator[Found]:
    """Yield what goes into the image, folders before what is in them.

    Sockets, pipes and devices are left out: nothing that is kept in a project is one.

    Raises:
        BuildError: the folder, or something in it, cannot be read.
    """
    try:
        yield from _wanted(folder, "", ignored)
    except OSError as error:
        raise BuildError(
            f"{error.filename} cannot be read: {error.strerror}",
            hint="make it readable, or name it in .dockerignore",
        ) from error


def warn_of_link(found: Found, folder: Path, tell: Tell) -> None:
    """Say so where something is a link to what does not go along, because it is elsewhere."""
    if found.is_link and not Path(os.path.realpath(found.path)).is_relative_to(folder.resolve()):
        tell(f"warning: {found.name} is a link out of the project; what is there is not taken")


def all_files(folder: Path, prefix: str = "") -> Iterator[Found]:
    """Yield all that is in a folder, folders before what is in them."""
    for found in _in(folder, prefix):
        yield found
        if found.is_folder:
            yield from all_files(found.path, f"{found.name}/")


def _wanted(folder: Path, prefix: str, ignored: Ignored) -> Iterator[Found]:
    for found in _in(folder, prefix):
        left_out = ignored.leaves_out(found.name)
        if left_out and not (found.is_folder and ignored.takes_back):
            continue
        if never_sent(found.path):
            continue
        if not left_out:
            yield found
        if found.is_folder:
            yield from _wanted(found.path, f"{found.name}/", ignored)


def _in(folder: Path, prefix: str) -> Iterator[Found]:
    """Yield what is directly in a folder, by name."""
    with os.scandir(folder) as entries:
        names = sorted(entries, key=lambda entry: entry.name)
    for entry in names:
        try:
            about = entry.stat(follow_symlinks=False)
        except FileNotFoundError:  # a database's journal, or what an editor had for a moment
            continue
        found = Found(prefix + entry.name, Path(entry.path), about.st_mode, about.st_size)
        if found.is_folder or found.is_file or found.is_link:
            yield found
