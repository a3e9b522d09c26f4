"""Which app a machine is of, where the user names the machine only."""

from __future__ import annotations

from pathlib import Path

from ephemera.cli.choosing import app_of_folder, named_app
from ephemera.errors import NotFound
from ephemera.jobs.settings import DEFAULT_APP


def app_of(machine: str, app: str | None, config: Path | None) -> str:
    """Return the app that was named, else that of the machine, else that of the folder.

    Only the embedded platform can be asked, and of machines that are not destroyed. Where nothing
    tells, it is the app of the jobs.

    Args:
        app: What `-a` names.
        config: The `fly.toml` that `-c` names.
    """
    return named_app(app, config) or _located(machine) or app_of_folder() or DEFAULT_APP


def _located(machine: str) -> str | None:
    from ephemera.client.own.machines import OwnMachines

    with OwnMachines() as own:
        if own.fly:
            return None
        try:
            return own.locate(machine)
        except NotFound:
            return None
