"""Restarting an app's machines one after another, so that they have its newest secrets.

Each is given the config that it has: that makes a new version of the machine, and a version has
the secrets of the moment at which it was made. One that does not run stays as it is, and has them
when it is started. Machines of jobs are left alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from ephemera.client import Client
from ephemera.errors import EphemeraError
from ephemera.wire.models import Machine

#: Seconds that a machine has to run again, and its checks to pass.
PATIENCE_S = 120.0
#: Fly.io lets a machine be looked at five times a second.
_LOOK_EVERY_S = 0.5
_GROUP = "fly_process_group"
#: Groups of machines that are there for one command, such as that before a release.
_PASSING_GROUPS = "fly_app_"
_RUNNING = ("starting", "started", "restarting")


def restart_all(
    client: Client,
    app: str,
    *,
    min_secrets_version: int | None = None,
    tell: Callable[[str], None],
    patience_s: float = PATIENCE_S,
) -> list[str]:
    """Restart the machines of an app's process groups, and return their ids.

    Repeating is safe.

    Args:
        min_secrets_version: What a change of secrets has returned.
        tell: Called with a line about each machine.
        patience_s: Seconds that each has to run again, and its checks to pass.

    Raises:
        EphemeraError: one does not run again; those after it were not restarted.
        Conflict: somebody else, such as a release, holds a machine.
    """
    machines = [one.id for one in client.machines.list(app) if group_of(one)]
    for number, machine in enumerate(machines, start=1):
        with client.leases.hold(app, machine, description="new secrets") as lease:
            _restart(client, app, machine, lease.nonce, min_secrets_version, patience_s)
        tell(f"machine {machine} has them ({number} of {len(machines)})")
    return machines


def group_of(machine: Machine) -> str:
    """Return the process group of a machine; empty for those of jobs and of passing commands."""
    metadata = (machine.config and machine.config.metadata) or {}
    group = metadata.get(_GROUP, "")
    return "" if group.startswith(_PASSING_GROUPS) else group


def _restart(
    client: Client,
    app: str,
    machine_id: str,
    nonce: str,
    min_secrets_version: int | None,
    patience_s: float,
) -> None:
    found = client.machines.get(app, machine_id)
    if found.config is None:
        raise EphemeraError(
            f"the config of machine {machine_id} is not known",
            hint="its host may be unreachable: try again later",
        )
    runs = found.state in _RUNNING
    updated = client.machines.update(
        app,
        machine_id,
        config=found.config,
        skip_launch=not runs,
        min_secrets_version=min_secrets_version,
        nonce=nonce,
    )
    if runs:
        _await_ready(client, app, updated, time.monotonic() + patience_s)


def _await_ready(client: Client, app: str, machine: Machine, deadline: float) -> None:
    settled = client.machines.wait(
        app,
        machine.id,
        ("started", "stopped", "failed"),
        version=machine.instance_id,
        timeout=max(0.0, deadline - time.monotonic()),
    )
    if settled.state != "started":
        raise _not_ready(app, machine.id, f"is {settled.state}")
    while failing := _failing(client.machines.get(app, machine.id)):
        if time.monotonic() >= deadline:
            raise _not_ready(app, machine.id, f"does not pass its check {failing}")
        time.sleep(_LOOK_EVERY_S)


def _failing(machine: Machine) -> str:
    """Return the name of a check that does not pass; empty where all do."""
    failing = (one.name for one in machine.checks or () if one.status != "passing")
    return next(failing, "")


def _not_ready(app: str, machine_id: str, how: str) -> EphemeraError:
    return EphemeraError(
        f"machine {machine_id} of app {app} {how} since it was restarted;"
        " the machines after it were not restarted",
        hint=f"`ephemera logs -a {app} -m {machine_id}` may say why",
    )
