"""A plan while it is made: the steps for some machines of one group after another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

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
from ephemera.deploy.release.wanted import labelled
from ephemera.wire.models import Machine, MachineConfig

#: States of a machine in which its program does not run, and is not about to.
AT_REST = frozenset({"created", "stopped", "suspended", "failed"})

#: A machine, and the config that it, or the one that replaces it, is to have.
Changed = tuple[Machine, MachineConfig]


def rests(machine: Machine) -> bool:
    """Return whether the program of a machine does not run."""
    return machine.state in AT_REST


@dataclass(slots=True)
class Draft:
    """Steps in three parts, each after the one before: those of all groups are put together."""

    #: Names for new machines.
    names: Iterator[str]
    #: What is done with machines.
    steps: list[Step] = field(default_factory=list[Step])
    #: What says of new machines, when all are well, that they are.
    settled: list[Step] = field(default_factory=list[Step])
    #: What cannot be undone.
    ending: list[Step] = field(default_factory=list[Step])

    def beside(self, replaced: Sequence[Changed], *, waits: bool) -> None:
        """Make new machines for old ones, and have the old ones go when the new ones are well."""
        fresh = [(next(self.names), config, old.region) for old, config in replaced]
        self.make(fresh, labels.CREATED, waits=waits)
        self.remove([machine for machine, _ in replaced])

    def make(
        self,
        fresh: Sequence[tuple[str, MachineConfig, str | None]],
        label: str,
        *,
        waits: bool,
    ) -> None:
        """Make machines: their names, configs and regions.

        Args:
            label: What they are until all is well.
            waits: Whether nobody is sent to them before they are.
        """
        for name, config, region in fresh:
            self.steps.append(Create(name, labelled(config, {labels.HALF_DONE: label}), region))
        if waits:
            self.steps += [Verify(name) for name, _, _ in fresh]
        self.steps += [Uncordon(name) for name, config, _ in fresh if config.services]
        self.settled += [Label(name, "", label) for name, _, _ in fresh]

    def remove(self, machines: Sequence[Machine]) -> None:
        """Have machines serve nobody any more, and be gone when everything is done."""
        self.steps += [Label(one.name, labels.LEAVING, "") for one in machines]
        self.steps += [Cordon(one.name) for one in machines if _offers(one)]
        self.steps += [Drain(one.name) for one in machines if _serves(one)]
        self.steps += [Stop(one.name) for one in machines if not rests(one)]
        self.ending += [Destroy(one.name) for one in machines]

    def try_out(self, config: MachineConfig, region: str | None) -> None:
        """See that one machine of the new release is well, before any that serves is touched.

        Nobody is sent to it: as in Fly's client it is there for its checks, and goes at once.
        """
        name = next(self.names)
        marked = labelled(config, {labels.HALF_DONE: labels.CREATED})
        self.steps += [Create(name, marked, region), Verify(name), Stop(name), Destroy(name)]

    def in_turn(self, changed: Sequence[Changed], size: int) -> None:
        """Change machines, `size` at a time, those at rest first: they are missed by nobody.

        The first of those at rest is started, so that the release is seen to work before one that
        serves is touched; the others rest on. One that stands by is started by the API alone.
        """
        resting = [pair for pair in changed if rests(pair[0])]
        running = [pair for pair in changed if not rests(pair[0])]
        first = next((one for one, config in resting if not config.standbys), None)
        for machine, config in resting:
            self._in_place([(machine, config)], starts=machine is first)
        for begin in range(0, len(running), size):
            self._in_place(running[begin : begin + size], starts=False)

    def at_once(self, changed: Sequence[Changed]) -> None:
        """Change machines, and wait for none of them."""
        self.steps += [_change(machine, config) for machine, config in changed]
        self.settled += [Label(machine.name, "", labels.CHANGED) for machine, _ in changed]

    def _in_place(self, batch: Sequence[Changed], *, starts: bool) -> None:
        offering = [one.name for one, config in batch if config.services or _offers(one)]
        self.steps += [Cordon(name) for name in offering]
        self.steps += [Drain(one.name) for one, _ in batch if _serves(one)]
        for machine, config in batch:
            self.steps.append(_change(machine, config, cordoned=machine.name in offering))
        self.steps += [Start(one.name) for one, _ in batch if starts]
        self.steps += [Verify(one.name) for one, _ in batch if starts or not rests(one)]
        self.steps += [Uncordon(name) for name in offering]
        self.settled += [Label(machine.name, "", labels.CHANGED) for machine, _ in batch]


def _change(machine: Machine, config: MachineConfig, *, cordoned: bool = False) -> Change:
    before = labels.of_another_boot(machine.config or MachineConfig())
    marked = labelled(config, {labels.HALF_DONE: labels.CHANGED})
    return Change(machine.name, marked, before, rests(machine), cordoned)


def _serves(machine: Machine) -> bool:
    return _offers(machine) and not rests(machine)


def _offers(machine: Machine) -> bool:
    return bool(machine.config and machine.config.services)
