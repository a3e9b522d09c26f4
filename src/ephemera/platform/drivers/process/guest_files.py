"""Writes a machine's files below its own folder, and finds them in commands and environments.

This driver cannot write to `/...` of the computer, so a file for `/app/payload.json` is written
to `<boot>.files/app/payload.json` in the machine's folder, and where an argument of a command or
a value of the environment *equals* a guest path it is replaced by the real one. Parts of
arguments, as in `--config=/app/x`, are left as they are. `EPHEMERA_FILES` names the folder, which
is there only for a machine that has files. Standard library only.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ephemera.platform.drivers.process.program import NotStarted

#: Permission bits only: no set-user-id for a file that came over the network.
_MODE_MASK = 0o777


def places(guest_paths: Iterable[str], folder: str) -> dict[str, str]:
    """Return the real path for each guest path.

    Raises:
        NotStarted: one is not absolute, or would lie outside of the folder.
    """
    found = {}
    for path in guest_paths:
        parts = [part for part in path.split("/") if part not in ("", ".")]
        if not path.startswith("/") or not parts or ".." in parts or "\0" in path:
            raise NotStarted(f"file path '{path}' is not an absolute path without '..'")
        found[path] = os.path.join(folder, *parts)
    return found


def write(files: Sequence[Mapping[str, Any]], where: Mapping[str, str]) -> None:
    """Write the files to their places, over whatever an unfinished start left there.

    Args:
        files: Each with `guest_path`, `content` in base64, and `mode`.

    Raises:
        NotStarted: one cannot be written.
    """
    for file in files:
        place = where[file["guest_path"]]
        try:
            os.makedirs(os.path.dirname(place), exist_ok=True)
            with open(place, "wb") as target:
                os.fchmod(target.fileno(), file["mode"] & _MODE_MASK)
                target.write(base64.b64decode(file["content"]))
        except OSError as error:
            raise NotStarted(
                f"file '{file['guest_path']}' cannot be written: {error.strerror}"
            ) from error


def relocate(command: Sequence[str], where: Mapping[str, str]) -> list[str]:
    """Return the command with each argument that is a guest path replaced by the real one."""
    return [where.get(argument, argument) for argument in command]


def relocate_values(env: Mapping[str, str], where: Mapping[str, str]) -> dict[str, str]:
    """Return the environment with each value that is a guest path replaced by the real one."""
    return {name: where.get(value, value) for name, value in env.items()}
