"""Which of an app's machines gets a request. Pure: what is known of them in, a decision out.

```
a machine below its soft limit ──► the least loaded of them
none of them, one at rest       ──► that one is brought up; the request goes to one below its hard
                                    limit meanwhile, else it is held
all at their hard limits        ──► the request is held until one is free
```

Source: fly.io/docs/reference/load-balancing and /docs/launch/autostop-autostart. There the request
for which a machine is started waits for that machine; here it goes to one that runs, if there is
one that may have it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple


class Phase(Enum):
    """How near a machine is to taking requests."""

    #: It listens, and its checks pass.
    READY = auto()
    #: It will be, if nothing goes wrong.
    COMING = auto()
    #: It would be, if it were started, and it may be.
    RESTING = auto()
    #: It is ill, cordoned, or at rest and not to be started.
    OUT = auto()


class Candidate(NamedTuple):
    """A machine that offers what is asked for. Made for each request, so a tuple: it is quick."""

    id: str
    region: str
    phase: Phase
    #: How many requests or connections it has.
    load: int = 0
    soft_limit: int = 20
    hard_limit: float = float("inf")


@dataclass(frozen=True, slots=True)
class Wish:
    """What is said about the machine that is to get a request."""

    #: It must be this one.
    instance: str = ""
    #: It must be in one of these regions, the first of them if it can be.
    regions: tuple[str, ...] = ()
    #: If that one has room.
    prefer_instance: str = ""
    prefer_region: str = ""
    #: None of these.
    avoid: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Choice:
    """What becomes of a request. Empty where there is no machine for it."""

    #: The machine that gets it now.
    take: str = ""
    #: The machine that is to be brought up, for this request if `take` is empty.
    bring: str = ""
    #: Whether it is held until something changes.
    wait: bool = False


def choose(candidates: Iterable[Candidate], wish: Wish) -> Choice:
    """Return what becomes of a request."""
    usable = [one for one in candidates if one.phase is not Phase.OUT and _is_meant(one, wish)]
    ready = [one for one in usable if one.phase is Phase.READY]
    roomy = [one for one in ready if one.load < one.hard_limit]
    free = [one for one in roomy if one.load < one.soft_limit]
    if wish.prefer_instance and any(one.id == wish.prefer_instance for one in roomy):
        return Choice(take=wish.prefer_instance)
    if free:
        return Choice(take=_best(free, wish))
    coming = [one for one in usable if one.phase is Phase.COMING]
    resting = [one for one in usable if one.phase is Phase.RESTING]
    bring = _best(coming or resting, wish)
    if roomy:
        return Choice(take=_best(roomy, wish), bring=bring)
    return Choice(bring=bring, wait=not bring and bool(ready))


def _is_meant(one: Candidate, wish: Wish) -> bool:
    return (
        one.id not in wish.avoid
        and wish.instance in ("", one.id)
        and (not wish.regions or one.region in wish.regions)
    )


def _best(candidates: Sequence[Candidate], wish: Wish) -> str:
    """Return the least loaded of those that are preferred; empty where there are none."""

    def rank(one: Candidate) -> tuple[bool, int, float, int]:
        far = wish.regions.index(one.region) if wish.regions else one.region != wish.prefer_region
        return one.id != wish.prefer_instance, int(far), one.load / one.soft_limit, one.load

    return min(candidates, key=rank).id if candidates else ""
