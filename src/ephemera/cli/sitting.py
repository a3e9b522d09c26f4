"""Sitting in a machine: our terminal joined to one there, where a shell or a command runs."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ephemera.cli import seat
from ephemera.errors import EphemeraError, Invalid

#: Becomes the best shell that there is. Its first argument says what the terminal can do.
_SHELL = 'TERM="$0"; export TERM; if [ -x /bin/bash ]; then exec /bin/bash; fi; exec /bin/sh'


def check_terminals() -> None:
    """Return if machines may have terminals, before anything is asked or made for one in vain.

    Raises:
        ConfigError: it is Fly.io.
    """
    from ephemera.client.own.machines import OwnMachines

    with OwnMachines() as own:
        own.check_ours()


def sit_in(app: str, machine: str, command: Sequence[str] | None, *, look: bool = False) -> int:
    """Join our terminal to one in a machine, and return the exit code of what runs there.

    Raises:
        EphemeraError: the machine cannot give one, or has no shell, or was destroyed meanwhile.
    """
    from ephemera.client.own.machines import OwnMachines

    rows, columns = seat.size()
    words = command or ["/bin/sh", "-c", _SHELL, os.environ.get("TERM", "xterm")]
    with OwnMachines() as own:
        try:
            code = seat.join(
                own.terminal(app, machine, words, rows=rows, columns=columns, look=look)
            )
        except Invalid as error:
            if command or words[0] not in error.message:
                raise
            raise EphemeraError(
                f"machine {machine} has no shell: {error.message}",
                hint=f"run a program that it has: `ephemera machine shell {machine} -- PROGRAM`",
            ) from error
    if code < 0:
        raise EphemeraError(
            f"nobody saw how the command in machine {machine} ended: it was killed from outside",
            hint=f"`ephemera machine inspect {machine}` has what is known of the machine",
        )
    return code
