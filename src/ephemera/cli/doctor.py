"""`ephemera doctor`: what this computer can do for each driver."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ephemera.cli.options import Json
from ephemera.cli.screen import say, say_json
from ephemera.home import home

if TYPE_CHECKING:
    from ephemera.platform.drivers.container.checks import Check


def doctor(as_json: Json = False) -> None:
    """Say what this computer can do for each driver, and what to install or change.

    Everything is really tried, and nothing is left of it. `limited` is what a driver runs without;
    where something is `missing`, it does not run at all. The exit status is 1 if that is so for
    the container driver.
    """
    from ephemera.platform.drivers.container.checks import checks
    from ephemera.platform.drivers.container.host import probe

    room = _room(home())
    found = {"process": [_process(), room], "container": [*checks(probe(home())), room]}
    if as_json:
        say_json({driver: _facts(of_driver) for driver, of_driver in found.items()})
    else:
        _show(found)
    if not _runs(found["container"]):
        raise typer.Exit(1)


def _process() -> Check:
    """Return what there is to say of the process driver, which runs wherever Python does."""
    from ephemera.platform.drivers.container.checks import Check, Verdict

    if sys.platform == "linux":
        return Check("processes", Verdict.OK, "machines can be suspended and looked into")
    says = "machines cannot be suspended, and their processes cannot be listed"
    return Check("processes", Verdict.LIMITED, says, "use Linux for that")


def _room(folder: Path) -> Check:
    """Return what there is to say of the disk of the state folder, which need not exist yet."""
    from ephemera.platform.drivers.container.checks import Check, Verdict
    from ephemera.platform.machines.room import space

    there = next(one for one in (folder, *folder.absolute().parents) if one.is_dir())
    found = space(there)
    if not found.is_short:
        return Check("room", Verdict.OK, str(found))
    hint = f"make room where {there} is; `ephemera images prune` removes unused images"
    return Check("room", Verdict.LIMITED, f"no machine is started: {found}", hint)


def _runs(found: Sequence[Check]) -> bool:
    return all(one.verdict != "missing" for one in found)


def _facts(found: Sequence[Check]) -> dict[str, object]:
    return {"runs": _runs(found), "checks": [asdict(one) for one in found]}


def _show(found: Mapping[str, Sequence[Check]]) -> None:
    width = max(len(one.name) for of_driver in found.values() for one in of_driver)
    for driver, of_driver in found.items():
        say(f"{driver}: {'runs' if _runs(of_driver) else 'cannot run'} on this computer")
        for one in of_driver:
            say(f"  {one.verdict.ljust(7)}  {one.name.ljust(width)}  {one.says}")
            if one.hint:
                say(f"  {' ' * 7}  {' ' * width}  hint: {one.hint}")
