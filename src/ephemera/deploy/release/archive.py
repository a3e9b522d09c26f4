"""The machine that remembers the releases of an app that has no other machine any more.

The history of releases is in labels of machines, and goes with the last of them. So an app that
is scaled to nothing gets a machine that never runs, is of no release, and goes when a release has
machines again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ephemera.client import Client
from ephemera.deploy.release import labels
from ephemera.wire.models import Guest, Init, Machine, MachineConfig, Restart

NAME = "releases"


def among(machines: Sequence[Machine]) -> list[Machine]:
    """Return the machines that do nothing but remember: one at most, mostly none."""
    return [one for one in labels.there(machines) if labels.group(one) == labels.ARCHIVE_GROUP]


def keep(
    client: Client, app: str, machines: Sequence[Machine], image: str, said: Mapping[str, str]
) -> None:
    """Have a machine that remembers. Repeating is safe.

    Args:
        machines: Those of the app.
        image: Of the last release; nothing of it is run.
        said: The labels that tell of the releases.

    Raises:
        EphemeraError: there is none.
    """
    for one in among(machines):
        client.machines.update_metadata(app, one.id, said)
        return
    client.machines.create(app, config=_config(image, said), name=NAME, skip_launch=True)


def discard(client: Client, app: str, machines: Sequence[Machine]) -> None:
    """Have no machine that does nothing but remember. Repeating is safe.

    Raises:
        EphemeraError: it is still there.
    """
    for one in among(machines):
        client.machines.destroy(app, one.id, force=True)


def _config(image: str, said: Mapping[str, str]) -> MachineConfig:
    """Return the config of a machine that costs as little as one can, also if it is started."""
    return MachineConfig(
        image=image,
        init=Init(exec=["true"]),
        guest=Guest(cpu_kind="shared", cpus=1, memory_mb=256),
        restart=Restart(policy="no"),
        metadata={**said, labels.GROUP: labels.ARCHIVE_GROUP},
    )
