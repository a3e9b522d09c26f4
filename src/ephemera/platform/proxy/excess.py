"""Which machines an app has too many of at the moment. Pure: what they do in, which stop out.

Of each group of machines (an app's process group in one region) at most one at a time:

- of several machines, one is too many where more of them are below their soft limit than one;
- a single machine is, where it has nothing to do;
- only one that has had nothing to do for long enough is stopped, and never one that says it is
  busy (metadata `ephemera_busy`);
- `min_machines_running` stay in the primary region.

Source: fly.io/docs/launch/autostop-autostart. That a machine has to be idle for a while, and the
word of a machine that it is busy, are ours.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Running:
    """A machine that is started."""

    id: str
    group: str
    region: str
    load: int
    soft_limit: int
    #: For how long it has had nothing to do, and for how long it must have; seconds.
    idle_s: float
    idle_after_s: float
    #: Whether it may be stopped at all: by its config, and by whoever holds it.
    may_stop: bool = True
    min_machines_running: int = 0

    @property
    def is_idle(self) -> bool:
        """Whether it may be stopped now."""
        return self.may_stop and not self.load and self.idle_s >= self.idle_after_s


@dataclass(frozen=True, slots=True)
class Excess:
    """A machine that is to be stopped, and how many of its group then still run there."""

    machine_id: str
    group: str
    region: str
    left: int


def excess(running: Iterable[Running], primary_region: str) -> list[Excess]:
    """Return which of an app's machines are to be stopped now."""
    groups: defaultdict[tuple[str, str], list[Running]] = defaultdict(list)
    for one in running:
        groups[one.group, one.region].append(one)
    found: list[Excess] = []
    for (group, region), machines in groups.items():
        keep = max(one.min_machines_running for one in machines) if region == primary_region else 0
        chosen = _too_many(machines, keep)
        if chosen:
            found.append(Excess(chosen.id, group, region, len(machines) - 1))
    return found


def _too_many(machines: Sequence[Running], keep: int) -> Running | None:
    count = len(machines)
    idle = [one for one in machines if one.is_idle]
    if not idle or count <= keep:
        return None
    crowded = sum(one.load >= one.soft_limit for one in machines)
    if count > 1 and count - (crowded + 1) < 1:
        return None
    return max(idle, key=lambda one: one.idle_s)
