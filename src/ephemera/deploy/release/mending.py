"""What a release left behind whose process was killed, and what becomes of it.

Every machine with which something is under way is labelled, and the labels of new ones are taken
away when all of them are well. So it is known which release is to be the whole one:

| | |
|---|---|
| a machine of the new release has no label any more, or none is left that has | the new one |
| else | the one before |

| Label | the new one | the one before |
|---|---|---|
| `created`: made for it | it stays | it goes |
| `changed`: given its config | it stays | it gets the config of before |
| `leaving`: of the one before | it goes | it serves again |
| `added`: one more, without a release | it goes | it goes |
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
    Verify,
)
from ephemera.wire.models import Machine, MachineConfig, MachineVersion

_NEW = (labels.CREATED, labels.CHANGED)


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
    if not half_done(machines):
        return []
    goes = {labels.LEAVING if _is_whole(machines) else labels.CREATED, labels.ADDED}
    going = [one for one in machines if _label(one) in goes]
    staying = [one for one in machines if _label(one) not in goes]
    steps: list[Step] = []
    for machine in staying:
        steps += _stays(machine, versions.get(machine.id, ()), new=_is_whole(machines))
    return steps + [step for one in going for step in (Stop(one.name), Destroy(one.name))]


def _is_whole(machines: Sequence[Machine]) -> bool:
    """Return whether the new release is the one to have."""
    new = {_release(one) for one in machines if _label(one) in _NEW}
    return not new or any(not _label(one) and _release(one) in new for one in machines)


def _stays(machine: Machine, versions: Sequence[MachineVersion], *, new: bool) -> list[Step]:
    label, name = _label(machine), machine.name
    offers = bool(machine.config and machine.config.services)
    steps: list[Step] = []
    if label == labels.CHANGED and not new:
        steps += _back(machine, versions)
    elif label == labels.LEAVING:
        steps += [Label(name, "", label), Start(name), Verify(name, comes_back=True)]
    elif label:
        steps += [Label(name, "", label)]
    return [*steps, Uncordon(name)] if offers else steps


def _back(machine: Machine, versions: Sequence[MachineVersion]) -> list[Step]:
    """Give a machine the config of the release before; leave it where nobody knows that one."""
    before = _config_before(labels.version(machine), versions)
    if before is None:
        return [Label(machine.name, "", labels.CHANGED)]
    config = machine.config or MachineConfig()
    return [Change(machine.name, before, config), Verify(machine.name, comes_back=True)]


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


def _release(machine: Machine) -> str:
    return labels.of(machine).get(labels.RELEASE_ID, "")


def _label(machine: Machine) -> str:
    return labels.of(machine).get(labels.HALF_DONE, "")
