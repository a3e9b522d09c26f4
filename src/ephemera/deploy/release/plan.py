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
from dataclasses import dataclass, field
from typing import Literal

from ephemera.deploy.release import labels
from ephemera.deploy.release.steps import (
    Change,
    Cordon,
    Create,
    Destroy,
    Drain,
    Label,
    Start,
    Step,
    Stop,
    Uncordon,
    Verify,
)
from ephemera.deploy.release.wanted import keeps_volume, labelled
from ephemera.wire.models import Machine, MachineConfig

Strategy = Literal["rolling", "bluegreen", "canary", "immediate"]

#: The share of a group's machines that are replaced at the same time, as in Fly's client.
MAX_UNAVAILABLE = 0.33

_AT_REST = frozenset({"created", "stopped", "suspended", "failed"})


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


@dataclass(slots=True)
class _Draft:
    """A plan that is being made."""

    names: Iterator[str]
    steps: list[Step] = field(default_factory=list[Step])
    settled: list[Step] = field(default_factory=list[Step])
    ending: list[Step] = field(default_factory=list[Step])


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
    drafts: list[_Draft] = []
    for one in wanted:
        machines = _in_order(present, one.group)
        kept, surplus = machines[: one.count], machines[one.count :]
        draft = _Draft(_names(one.group, taken))
        if not only_count:
            _replace(draft, kept, one, strategy, max_unavailable)
        label = labels.ADDED if only_count else labels.CREATED
        _add(draft, one, one.count - len(kept), label, waits=strategy != "immediate")
        _remove(draft, surplus)
        drafts.append(draft)
    if not only_count:
        drafts.append(_without(present, wanted))
    return _joined(drafts)


def _joined(drafts: Sequence[_Draft]) -> Plan:
    steps = [step for draft in drafts for step in draft.steps]
    settled = [step for draft in drafts for step in draft.settled]
    ending = [step for draft in drafts for step in draft.ending]
    return Plan((*steps, *settled), tuple(ending))


def _without(present: Sequence[Machine], wanted: Sequence[Wanted]) -> _Draft:
    """Have no machines of groups that are not wanted."""
    groups = {one.group for one in wanted}
    draft = _Draft(iter(()))
    _remove(draft, [one for one in present if labels.group(one) not in groups])
    return draft


def _in_order(present: Sequence[Machine], group: str) -> list[Machine]:
    """Return the machines of a group: those that run before those at rest, the oldest first."""
    mine = [machine for machine in present if labels.group(machine) == group]
    return sorted(mine, key=lambda one: (_rests(one), one.created_at, one.id))


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
    draft: _Draft,
    machines: Sequence[Machine],
    wanted: Wanted,
    strategy: Strategy,
    max_unavailable: float,
) -> None:
    configs = {machine.id: wanted.config(machine, False) for machine in machines}
    beside = [one for one in machines if _goes_beside(one, configs[one.id], machines, strategy)]
    in_place = [one for one in machines if one not in beside]
    if strategy == "canary" and any(not configs[one.id].mounts for one in in_place):
        _try_out(draft, wanted, in_place[0])
    if beside:
        replaced = [(one, wanted.config(one, True)) for one in beside]
        _beside(draft, replaced, waits=strategy != "immediate")
    if strategy == "immediate":
        _at_once(draft, [(one, configs[one.id]) for one in in_place])
    else:
        _in_turn(draft, [(one, configs[one.id]) for one in in_place], max_unavailable)


def _goes_beside(
    machine: Machine, config: MachineConfig, machines: Sequence[Machine], strategy: Strategy
) -> bool:
    if not keeps_volume(machine, config):
        return True
    if config.mounts:
        return False
    alone = len(machines) == 1 and strategy in ("rolling", "canary")
    return strategy == "bluegreen" or (alone and bool(config.services))


def _beside(
    draft: _Draft, replaced: Sequence[tuple[Machine, MachineConfig]], *, waits: bool
) -> None:
    """Make new machines for old ones, and have the old ones go when the new ones are well."""
    fresh = [(next(draft.names), config, old.region) for old, config in replaced]
    _make(draft, fresh, labels.CREATED, waits=waits)
    _remove(draft, [machine for machine, _ in replaced])


def _add(draft: _Draft, wanted: Wanted, count: int, label: str, *, waits: bool) -> None:
    """Have more machines of a group."""
    regions = itertools.cycle(wanted.regions)
    fresh = [
        (next(draft.names), wanted.config(None, True), next(regions)) for _ in range(max(0, count))
    ]
    _make(draft, fresh, label, waits=waits)


def _make(
    draft: _Draft,
    fresh: Sequence[tuple[str, MachineConfig, str | None]],
    label: str,
    *,
    waits: bool,
) -> None:
    draft.steps += [
        Create(name, labelled(config, {labels.HALF_DONE: label}), region)
        for name, config, region in fresh
    ]
    if waits:
        draft.steps += [Verify(name) for name, _, _ in fresh]
    draft.steps += [Uncordon(name) for name, config, _ in fresh if config.services]
    draft.settled += [Label(name, "", label) for name, _, _ in fresh]


def _remove(draft: _Draft, machines: Sequence[Machine]) -> None:
    """Have machines serve nobody any more, and be gone when everything is done."""
    draft.steps += [Label(one.name, labels.LEAVING, "") for one in machines]
    serving = [one.name for one in machines if _offers(one) and not _rests(one)]
    draft.steps += [Cordon(one.name) for one in machines if _offers(one)]
    draft.steps += [Drain(name) for name in serving]
    draft.steps += [Stop(one.name) for one in machines if not _rests(one)]
    draft.ending += [Destroy(one.name) for one in machines]


def _try_out(draft: _Draft, wanted: Wanted, model: Machine) -> None:
    """See that one machine of the new release is well, before any that serves is touched.

    Nobody is sent to it: as in Fly's client it is there for its checks, and goes at once.
    """
    name = next(draft.names)
    config = wanted.config(None, True)
    marked = labelled(config, {labels.HALF_DONE: labels.CREATED})
    draft.steps += [Create(name, marked, model.region), Verify(name), Stop(name), Destroy(name)]


def _in_turn(
    draft: _Draft, changed: Sequence[tuple[Machine, MachineConfig]], max_unavailable: float
) -> None:
    """Change machines a few at a time, those at rest first: they are missed by nobody.

    The first of those at rest is started, so that the release is seen to work before one that
    serves is touched; the others rest on.
    """
    resting = [pair for pair in changed if _rests(pair[0])]
    running = [pair for pair in changed if not _rests(pair[0])]
    size = _batch_size(len(running) or 1, max_unavailable)
    for machine, config in resting[:1]:
        _in_place(draft, [(machine, config)], starts=True)
    for machine, config in resting[1:]:
        _in_place(draft, [(machine, config)], starts=False)
    for begin in range(0, len(running), size):
        _in_place(draft, running[begin : begin + size], starts=False)


def _batch_size(count: int, max_unavailable: float) -> int:
    if max_unavailable >= 1:
        return math.floor(max_unavailable)
    return max(1, math.floor(count * max_unavailable))


def _in_place(
    draft: _Draft, batch: Sequence[tuple[Machine, MachineConfig]], *, starts: bool
) -> None:
    offering = [machine.name for machine, config in batch if config.services or _offers(machine)]
    draft.steps += [Cordon(name) for name in offering]
    draft.steps += [Drain(one.name) for one, _ in batch if _offers(one) and not _rests(one)]
    draft.steps += [
        _change(machine, config, cordoned=machine.name in offering) for machine, config in batch
    ]
    if starts:
        draft.steps += [Start(machine.name) for machine, _ in batch]
    well = [machine.name for machine, _ in batch if starts or not _rests(machine)]
    draft.steps += [Verify(name) for name in well]
    draft.steps += [Uncordon(name) for name in offering]
    draft.settled += [Label(machine.name, "", labels.CHANGED) for machine, _ in batch]


def _at_once(draft: _Draft, changed: Sequence[tuple[Machine, MachineConfig]]) -> None:
    draft.steps += [_change(machine, config) for machine, config in changed]
    draft.settled += [Label(machine.name, "", labels.CHANGED) for machine, _ in changed]


def _change(machine: Machine, config: MachineConfig, *, cordoned: bool = False) -> Change:
    before = machine.config or MachineConfig()
    marked = labelled(config, {labels.HALF_DONE: labels.CHANGED})
    return Change(machine.name, marked, before, _rests(machine), cordoned)


def _rests(machine: Machine) -> bool:
    return machine.state in _AT_REST


def _offers(machine: Machine) -> bool:
    return bool(machine.config and machine.config.services)
