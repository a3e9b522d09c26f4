"""`ephemera demo`: the main job, end to end, on a platform that is there for nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from ephemera.cli.interrupts import uninterrupted
from ephemera.cli.screen import say
from ephemera.errors import ConfigError
from ephemera.home import make_home

#: Seconds the demo's machines may take to stop.
_GRACE_S = 3.0


def demo(
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave it all running, to look around.")
    ] = False,
    home: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Keep its state here, not in a temporary folder."),
    ] = None,
) -> None:
    """Start a platform, a web application on it, and from there a job; then take it all down.

    The exit status is 0 only if the job succeeded and nothing is left running.
    """
    from ephemera.cli import demonstration

    folder = _fresh_folder(home)
    try:
        demonstration.run(folder)
    except BaseException:
        _take_back(folder, remove=home is None)
        raise
    if keep:
        say(f"it all runs on: export EPHEMERA_HOME={folder}, then `ephemera status`, `down`")
        return
    _take_back(folder, remove=home is None)
    say("nothing is left running" + ("" if home else ", and no folder"))


def _fresh_folder(chosen: Path | None) -> Path:
    import tempfile

    if chosen is None:
        return Path(tempfile.mkdtemp(prefix="ephemera-demo-"))
    folder = chosen.absolute()
    make_home(folder)
    if any(folder.iterdir()):
        raise ConfigError(
            f"the folder {folder} is not empty", hint="the demo takes everything in it down"
        )
    return folder


def _take_back(folder: Path, *, remove: bool) -> None:
    from ephemera.cli.takedown import take_down

    with uninterrupted():
        take_down(folder, grace=_GRACE_S, tell=say)
        if remove:
            shutil.rmtree(folder)
