"""What a release left behind whose process was killed, and what becomes of it.

The labels on its machines tell how far it came:

| Label | What is done |
|---|---|
| `created`: made for it, and not seen to be well | it goes |
| `changed`: given its config, and not seen to be well | it gets the config of before |
| `leaving`: old, and others have taken its place | it goes |
| `leaving`: old, and nobody has | it serves again |

So either the release before it is whole again, or the one that was cut short is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ephemera.deploy.release import labels
from ephemera.deploy.release.steps import (
    Change,
    Destroy,
    Label,
    Start,
    Step,
    Stop,
    Uncordon,
)
from ephemera.wire.models import Machine, MachineConfig, MachineVersion


def half_done(machines: Sequence[Machine]) -> list[Machine]:
    """Return the machines with which something was under way."""
    return [machine for machine in machines if _label(machine)]


def mend(
    machines: Sequence[Machine], versions: Mapping[str, Sequence[MachineVersion]]
) -> list[Step]:
    """Return the steps that put an app right; none where nothing was under way.

    Args:
        machines: Those that releases are made of.
        versions: Of each machine labelled `changed`, by its id, newest first.
    """
    halves = half_done(machines)
    if not halves:
        return []
    steps: list[Step] = []
    for machine in machines:
        label = _label(machine)
        if label == labels.CHANGED:
            steps += _back(machine, versions.get(machine.id, ()))
        elif label == labels.LEAVING and not _replaced(machine, machines):
            steps += [Label(machine.name, "", label), Start(machine.name)]
        if label != labels.CREATED and not (label and _replaced(machine, machines)):
            steps += _served(machine)
    return steps + [step for machine in halves for step in _gone(machine, machines)]


def _gone(machine: Machine, machines: Sequence[Machine]) -> list[Step]:
    label = _label(machine)
    goes = label == labels.CREATED or (label == labels.LEAVING and _replaced(machine, machines))
    return [Stop(machine.name), Destroy(machine.name)] if goes else []


def _back(machine: Machine, versions: Sequence[MachineVersion]) -> list[Step]:
    """Give a machine the config of the release before; leave it where nobody knows that one."""
    config = machine.config or MachineConfig()
    before = _config_before(labels.version(machine), versions)
    if before is None:
        return [Label(machine.name, "", labels.CHANGED)]
    return [Change(machine.name, before, config)]


def _config_before(version: int, versions: Sequence[MachineVersion]) -> MachineConfig | None:
    """Return the newest config that is of an earlier release, without its own label."""
    for one in versions:
        config = one.user_config
        found = Machine(config=config)
        if config is not None and labels.version(found) < version:
            kept = labels.of(found)
            kept.pop(labels.HALF_DONE, None)
            return config.model_copy(update={"metadata": kept})
    return None


def _replaced(machine: Machine, machines: Sequence[Machine]) -> bool:
    """Return whether another machine has taken a leaving one's place."""
    return _label(machine) == labels.LEAVING and any(
        labels.group(one) == labels.group(machine) and not _label(one) for one in machines
    )


def _served(machine: Machine) -> list[Step]:
    offers = bool(machine.config and machine.config.services)
    return [Uncordon(machine.name)] if offers else []


def _label(machine: Machine) -> str:
    return labels.of(machine).get(labels.HALF_DONE, "")
