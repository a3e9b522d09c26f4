"""Carrying out a plan: the app is made, then the files are written."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ephemera.deploy.flytoml import DEFAULT_NAME
from ephemera.deploy.launch.names import another
from ephemera.deploy.launch.plan import Plan, PlannedFile, State
from ephemera.deploy.launch.planning import plan as make_plan
from ephemera.deploy.launch.wishes import Wishes
from ephemera.errors import ConfigError, Conflict, EphemeraError, NotFound

if TYPE_CHECKING:
    from ephemera.client import Client

Tell = Callable[[str], object]


def launch(plan: Plan, wishes: Wishes, client: Client, tell: Tell) -> Path:
    """Make the app of a plan and write its files; return its `fly.toml`.

    Where the folder's name is taken by somebody, and no name was asked for, the app has a
    few letters more. If the files cannot be written, the app is deleted again; those that were
    written stay, as repeating is safe.

    Args:
        plan: What `planning.plan` returned, with its conflicts settled.
        wishes: What it was made from.
        tell: Is called with a line for each thing that was done.

    Raises:
        ConfigError: a file would be lost; there is no such region; or a file cannot be written.
        Conflict: the name is taken.
    """
    _refuse_conflicts(plan)
    _check_regions(client, wishes)
    plan, is_new = _with_app(plan, wishes, client, tell)
    try:
        for file in plan.files:
            _write(plan.folder, file, tell)
    except BaseException:
        if is_new:
            with contextlib.suppress(EphemeraError):
                client.apps.delete(plan.app)
        raise
    return plan.folder / DEFAULT_NAME


def launch_with_defaults(
    folder: Path, client: Client, tell: Tell, *, name: str | None = None, org: str = "personal"
) -> Path:
    """Launch the project of a folder that has no `fly.toml`, and return the one it has now.

    Args:
        name: The app, which may be there already; else it is made, with a name like the folder's.

    Raises:
        ConfigError: it cannot be found out what the project is, or a file would be lost.
    """
    wishes = Wishes(name=name, org=org)
    plan = make_plan(folder, wishes)
    plan = replace(plan, may_be_there=plan.may_be_there or name is not None)
    for line in plan.found:
        tell(line)
    written = launch(plan, wishes, client, tell)
    for line in plan.notes:
        tell(f"note: {line}")
    return written


def _refuse_conflicts(plan: Plan) -> None:
    names = ", ".join(file.name for file in plan.conflicts)
    if names:
        raise ConfigError(
            f"{names} in {plan.folder} would be lost: somebody wrote or edited it",
            hint="`ephemera launch --dry-run` shows the difference, `--force` writes over it",
        )


def _check_regions(client: Client, wishes: Wishes) -> None:
    if not wishes.regions:
        return
    known = [region.code for region in client.platform.regions().regions]
    for region in wishes.regions:
        if region not in known:
            raise ConfigError(
                f"there is no region '{region}'", hint=f"there are: {', '.join(known)}"
            )


def _with_app(plan: Plan, wishes: Wishes, client: Client, tell: Tell) -> tuple[Plan, bool]:
    """Return the plan with the name that the app has now, and whether it was made for it."""
    if plan.may_be_there and _exists(client, plan.app):
        tell(f"the app {plan.app} is there already")
        return plan, False
    try:
        client.apps.create(plan.app, org_slug=wishes.org)
    except Conflict as error:
        if plan.is_named or plan.may_be_there:
            raise Conflict(
                f"the name '{plan.app}' is taken",
                status=error.status,
                code=error.code,
                request_id=error.request_id,
                hint="choose another one with --name; if that app is yours, say in fly.toml: "
                f'app = "{plan.app}"',
            ) from error
        plan = _renamed(plan, wishes)
        client.apps.create(plan.app, org_slug=wishes.org)
    tell(f"created app {plan.app}")
    return plan, True


def _renamed(plan: Plan, wishes: Wishes) -> Plan:
    """Return the plan for another name; what was said of its conflicts holds."""
    said = {file.name: file.state is State.ANEW for file in plan.files}
    again = make_plan(plan.folder, replace(wishes, name=another(plan.app)))
    return again.settled(lambda file: said[file.name])


def _exists(client: Client, app: str) -> bool:
    try:
        client.apps.get(app)
    except NotFound:
        return False
    return True


def _write(folder: Path, file: PlannedFile, tell: Tell) -> None:
    """Write a file, whole or not at all, with the mode that it had."""
    if not file.is_change:
        return
    place = folder / file.name
    try:
        _replace(place.resolve(), file.text)
    except OSError as error:
        raise ConfigError(f"{place} cannot be written: {error.strerror}") from error
    tell(f"wrote {file.name}")


def _replace(place: Path, text: str) -> None:
    beside = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        beside.write_bytes(text.encode())
        if place.exists():
            beside.chmod(place.stat().st_mode & 0o777)
        beside.replace(place)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
