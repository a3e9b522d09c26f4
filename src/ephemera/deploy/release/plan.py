"""What is to be done with which machine, and in which order: decided before anything is done.

```
 beside     create a new one ─► well? ─► requests to it ─► none to the old one ─► it stops ─┐
 in place   no requests to it ─► its config is changed ─► well? ─► requests to it again     │
                                    when all is well: labels say so, and the old ones go ◄──┘
```

Old machines are stopped before and destroyed after everything else, so that until then whatever
was done can be undone. Then, too, the labels are taken away by which new ones are known: as long
as all are there, the release before is the one to go back to, also for others (`mending`).

Which of the two ways a machine is replaced by:

| | |
|---|---|
| it has a volume, and keeps it | in place: a volume is one machine's |
| `bluegreen`, or its volume is another one | beside, all of a group together |
| `rolling`, and it is the only one of its group and offers a service | beside |
| `rolling` otherwise, `canary` after its trial | in place, a few of a group at a time |
| `immediate` | in place, all at once, and nobody waits for anything |
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from ephemera.deploy.release import labels
from ephemera.deploy.release.drafting import Draft, rests
from ephemera.deploy.release.steps import Step
from ephemera.deploy.release.wanted import keeps_volume
from ephemera.wire.models import Machine, MachineConfig

Strategy = Literal["rolling", "bluegreen", "canary", "immediate"]

#: The share of a group's machines that are replaced at the same time, as in Fly's client.
MAX_UNAVAILABLE = 0.33


@dataclass(frozen=True, slots=True)
class Wanted:
    """A process group as it is to be."""

    group: str
    #: How many machines it is to have.
    count: int
    #: Returns the config of a machine, from the one that it is (False) or replaces (True); from
    #: None that of one more.
    config: Callable[[Machine | None, bool], MachineConfig]
    #: Where new ones are made, in turn; None leaves it to the API.
    regions: Sequence[str | None] = (None,)


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps that can be undone, and then those that cannot."""

    steps: tuple[Step, ...]
    ending: tuple[Step, ...]


def plan(
    present: Sequence[Machine],
    wanted: Sequence[Wanted],
    strategy: Strategy,
    *,
    max_unavailable: float = MAX_UNAVAILABLE,
    names_taken: Iterable[str] = (),
    only_count: bool = False,
) -> Plan:
    """Return the steps from the machines that there are to those that are wanted.

    Args:
        present: The machines that releases are made of, and no others. Those of a group that is
            not wanted go.
        max_unavailable: Below 1 a share of a group's machines, else how many may be away.
        names_taken: Names that other machines of the app have.
        only_count: Leave machines as they are; only have as many as are wanted.
    """
    taken = {*names_taken, *(machine.name for machine in present)}
    drafts: list[Draft] = []
    for one in wanted:
        machines = _in_order(present, one.group)
        kept, surplus = machines[: one.count], machines[one.count :]
        draft = Draft(_names(one.group, taken))
        if not only_count:
            _replace(draft, kept, one, strategy, max_unavailable)
        label = labels.ADDED if only_count else labels.CREATED
        _add(draft, one, one.count - len(kept), label, waits=strategy != "immediate")
        draft.remove(surplus)
        drafts.append(draft)
    if not only_count:
        drafts.append(_without(present, wanted))
    return _joined(drafts)


def _joined(drafts: Sequence[Draft]) -> Plan:
    steps = [step for draft in drafts for step in draft.steps]
    settled = [step for draft in drafts for step in draft.settled]
    ending = [step for draft in drafts for step in draft.ending]
    return Plan((*steps, *settled), tuple(ending))


def _without(present: Sequence[Machine], wanted: Sequence[Wanted]) -> Draft:
    """Have no machines of groups that are not wanted."""
    groups = {one.group for one in wanted}
    draft = Draft(iter(()))
    draft.remove([one for one in present if labels.group(one) not in groups])
    return draft


def _in_order(present: Sequence[Machine], group: str) -> list[Machine]:
    """Return the machines of a group: those that run before those at rest, the oldest first."""
    mine = [machine for machine in present if labels.group(machine) == group]
    return sorted(mine, key=lambda one: (rests(one), one.created_at, one.id))


def _names(group: str, taken: set[str]) -> Iterator[str]:
    """Yield names that no machine has: `app-1`, `app-2`.

    Two who make the first machine of a group at once thus want the same name, and one is told so.
    """
    for number in itertools.count(1):
        name = f"{group}-{number}"
        if name not in taken:
            taken.add(name)
            yield name


def _replace(
    draft: Draft,
    machines: Sequence[Machine],
    wanted: Wanted,
    strategy: Strategy,
    max_unavailable: float,
) -> None:
    configs = {machine.id: wanted.config(machine, False) for machine in machines}
    beside = [one for one in machines if _goes_beside(one, configs[one.id], machines, strategy)]
    in_place = [one for one in machines if one not in beside]
    if strategy == "canary" and any(not configs[one.id].mounts for one in in_place):
        draft.try_out(wanted.config(None, True), in_place[0].region)
    if beside:
        replaced = [(one, wanted.config(one, True)) for one in beside]
        draft.beside(replaced, waits=strategy != "immediate")
    changed = [(one, configs[one.id]) for one in in_place]
    if strategy == "immediate":
        draft.at_once(changed)
    else:
        running = sum(not rests(one) for one in in_place)
        draft.in_turn(changed, _batch_size(running, max_unavailable))


def _goes_beside(
    machine: Machine, config: MachineConfig, machines: Sequence[Machine], strategy: Strategy
) -> bool:
    if not keeps_volume(machine, config):
        return True
    if config.mounts:
        return False
    alone = len(machines) == 1 and strategy in ("rolling", "canary")
    return strategy == "bluegreen" or (alone and bool(config.services))


def _add(draft: Draft, wanted: Wanted, count: int, label: str, *, waits: bool) -> None:
    """Have more machines of a group."""
    regions = itertools.cycle(wanted.regions)
    fresh = [
        (next(draft.names), wanted.config(None, True), next(regions)) for _ in range(max(0, count))
    ]
    draft.make(fresh, label, waits=waits)


def _batch_size(count: int, max_unavailable: float) -> int:
    if max_unavailable >= 1:
        return math.floor(max_unavailable)
    return max(1, math.floor(count * max_unavailable))
