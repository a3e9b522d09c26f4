"""Which app a machine is of, where the user names the machine only."""

from __future__ import annotations

from typing import Annotated

import typer

from ephemera.cli.options import NO_APP_NAMED
from ephemera.errors import NotFound

MachineId = Annotated[str, typer.Argument(metavar="MACHINE", help="The machine's id.")]
#: Like `App`, where it can be left out.
AppOfMachine = Annotated[
    str | None,
    typer.Option(
        "--app",
        "-a",
        envvar=["FLY_APP_NAME", "EPHEMERA_APP"],
        help="The app's name; can be left out on the embedded platform.",
        show_default=False,
    ),
]


def app_of(machine: str, named: str | None) -> str:
    """Return the app that was named, else that of the machine, else the usual one.

    Only the embedded platform can be asked, and of machines that are not destroyed.
    """
    if named is not None:
        return named
    from ephemera.client.own.machines import OwnMachines

    with OwnMachines() as own:
        if own.fly:
            return NO_APP_NAMED
        try:
            return own.locate(machine)
        except NotFound:
            return NO_APP_NAMED
