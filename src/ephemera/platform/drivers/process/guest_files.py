"""Puts a machine's files and volumes below its own folder, and finds them in its commands.

This driver cannot write to `/...` of the computer, so a file for `/app/payload.json` is written
to `<boot>.files/app/payload.json` in the machine's folder, and where an argument of a command or
a value of the environment *equals* a guest path it is replaced by the real one. A volume at
`/data` becomes a link `<boot>.files/data` to its folder, and arguments and values that equal
`/data` or lie below it, as `/data/app.db`, are replaced. Parts of arguments, as in
`--config=/app/x`, are left as they are. `EPHEMERA_FILES` names the folder, which is there only
for a machine that has files or volumes. Standard library only.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from ephemera.platform.drivers.monitoring.program import NotStarted

#: Permission bits only: no set-user-id for a file that came over the network.
_MODE_MASK = 0o777


class Places(NamedTuple):
    """The real path of each guest path."""

    files: Mapping[str, str]
    mounts: Mapping[str, str]

    def real(self, text: str) -> str:
        """Return where a file, a volume, or anything below a volume is; other text as it is."""
        if text in self.files:
            return self.files[text]
        for path, place in self.mounts.items():
            if text == path or text.startswith(path + "/"):
                return place + text[len(path) :]
        return text


def places(guest_paths: Iterable[str], mounts: Iterable[str], folder: str) -> Places:
    """Return the real path for each guest path.

    Raises:
        NotStarted: one is not absolute, or would lie outside of the folder.
    """
    return Places(
        {path: _place(path, folder) for path in guest_paths},
        {path.rstrip("/"): _place(path, folder) for path in mounts},
    )


def _place(path: str, folder: str) -> str:
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if not path.startswith("/") or not parts or ".." in parts or "\0" in path:
        raise NotStarted(f"file path '{path}' is not an absolute path without '..'")
    return os.path.join(folder, *parts)


def mount(mounts: Sequence[Mapping[str, Any]], where: Places) -> None:
    """Link each volume to its place, over whatever an unfinished start left there.

    Args:
        mounts: Each with `path` and `source`.

    Raises:
        NotStarted: one is not there, or cannot be linked.
    """
    for one in mounts:
        place, source = where.mounts[one["path"].rstrip("/")], one["source"]
        if not os.path.isdir(source):
            raise NotStarted(f"the volume for '{one['path']}' is not there")
        try:
            os.makedirs(os.path.dirname(place), exist_ok=True)
            with suppress(FileNotFoundError):
                os.unlink(place)
            os.symlink(source, place)
        except OSError as error:
            raise NotStarted(f"'{one['path']}' cannot be mounted: {error.strerror}") from error


def write(files: Sequence[Mapping[str, Any]], where: Places) -> None:
    """Write the files to their places, over whatever an unfinished start left there.

    Args:
        files: Each with `guest_path`, `content` in base64, and `mode`.

    Raises:
        NotStarted: one cannot be written.
    """
    for file in files:
        place = where.files[file["guest_path"]]
        try:
            os.makedirs(os.path.dirname(place), exist_ok=True)
            with open(place, "wb") as target:
                os.fchmod(target.fileno(), file["mode"] & _MODE_MASK)
                target.write(base64.b64decode(file["content"]))
        except OSError as error:
            raise NotStarted(
                f"file '{file['guest_path']}' cannot be written: {error.strerror}"
            ) from error


def relocate(command: Sequence[str], where: Places) -> list[str]:
    """Return the command with each argument that is a guest path replaced by the real one."""
    return [where.real(argument) for argument in command]


def relocate_values(env: Mapping[str, str], where: Places) -> dict[str, str]:
    """Return the environment with each value that is a guest path replaced by the real one."""
    return {name: where.real(value) for name, value in env.items()}
