"""What names below `.internal` and `.flycast` mean, as on Fly.io: addresses and texts.

| Name | AAAA |
|---|---|
| `<app>.internal`, `global.<app>.internal` | its machines that are started |
| `<region>.<app>.internal` | those in a region |
| `top<N>.nearest.of.<app>.internal` | N of them; on one computer all are equally near |
| `<group>.process.<app>.internal` | those of a process group |
| `<value>.<key>.kv._metadata.<app>.internal` | those with this metadata |
| `<id>.vm.<app>.internal` | one machine, started or not |
| `_api.internal` | the Machines API |
| `<app>.flycast` | the proxy, which starts a machine of the app if none runs |

| Name | TXT |
|---|---|
| `vms.<app>.internal`, `all.vms.<app>.internal` | `ID REGION,ID REGION`: started ones, or all |
| `regions.<app>.internal`, `all.regions.<app>.internal` | `REGION,REGION` |
| `_apps.internal` | `APP,APP` |
| `_instances.internal`, `all._instances.internal` | `instance=ID,app=APP,ip=IP,region=REGION;…` |
| `_peer.internal` | nothing: there are no peers |

Whoever asks hears of the apps in his own private network only, and below `.flycast` of those that
he may reach. A name that is there and has nothing to say is told from one that is not there.

Source: fly.io/docs/networking/private-networking, and what programs for it read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

DOMAIN, PROXY_DOMAIN = "internal", "flycast"
_GROUP_KEY, _GROUP_DEFAULT = "fly_process_group", "app"
_TOP = re.compile(r"top(\d{1,4})")
#: Names that only have names below them.
_BRANCHES = {("vm",), ("process",), ("of",), ("nearest", "of"), ("_metadata",), ("kv", "_metadata")}


@dataclass(frozen=True, slots=True)
class Named:
    """A machine, as far as names tell of it."""

    id: str
    region: str
    #: In its private network.
    address: str
    started: bool
    metadata: Mapping[str, str]


class Directory(Protocol):
    """Who knows which apps and machines there are."""

    def apps(self, network: str) -> Iterable[str]:
        """Return the names of the apps in a network, given by its prefix."""
        ...

    def machines(self, network: str, app_name: str) -> Sequence[Named]:
        """Return the machines of an app in a network, oldest first."""
        ...

    def serves(self, network: str, app_name: str) -> bool:
        """Whether machines of a network may reach an app through the proxy."""
        ...


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a name stands for; nothing, for a name that only has others below it."""

    addresses: tuple[str, ...] = ()
    #: None where it has no text; it may have an empty one.
    text: str | None = None


class Names:
    """The names that machines of one platform can ask for.

    Args:
        services: The addresses of the API and of the proxy.
    """

    def __init__(self, directory: Directory, services: Sequence[str]) -> None:
        self._directory = directory
        self._services = tuple(services)

    def look_up(self, network: str, name: str) -> Meaning | None:
        """Return what a name means in a network; None where there is no such name.

        Args:
            network: Its prefix.
            name: In lower case, without a dot at its end; in one of the two domains.
        """
        *labels, domain = name.split(".")
        if not labels:
            return Meaning()
        if domain == PROXY_DOMAIN:
            served = len(labels) == 1 and self._directory.serves(network, labels[0])
            return Meaning(self._services) if served else None
        if labels[-1].startswith("_"):
            return self._of_network(network, labels)
        *before, app = labels
        if app not in self._directory.apps(network):
            return None
        return _of_app(self._directory.machines(network, app), tuple(before))

    def _of_network(self, network: str, labels: Sequence[str]) -> Meaning | None:
        match labels:
            case ["_api"]:
                return Meaning(self._services)
            case ["_apps"]:
                return Meaning(text=",".join(self._directory.apps(network)))
            case ["_instances"]:
                return Meaning(text=self._instances(network, _is_started))
            case ["all", "_instances"]:
                return Meaning(text=self._instances(network, _always))
            case ["_peer"]:
                return Meaning()
            case _:
                return None

    def _instances(self, network: str, wanted: Callable[[Named], bool]) -> str:
        return ";".join(
            f"instance={one.id},app={app},ip={one.address},region={one.region}"
            for app in self._directory.apps(network)
            for one in self._directory.machines(network, app)
            if wanted(one)
        )


def _of_app(machines: Sequence[Named], before: tuple[str, ...]) -> Meaning | None:
    started = [one for one in machines if one.started]
    match before:
        case () | ("global",):
            return _addresses(started)
        case ("vms",):
            return _vms(started)
        case ("all", "vms"):
            return _vms(machines)
        case ("regions",):
            return _regions(started)
        case ("all", "regions"):
            return _regions(machines)
        case (top, "nearest", "of") if found := _TOP.fullmatch(top):
            return _addresses(started[: int(found[1])])
        case _ if before in _BRANCHES:
            return Meaning()
        case _:
            return _chosen(machines, before)


def _chosen(machines: Sequence[Named], before: tuple[str, ...]) -> Meaning | None:
    """Return what a name means that chooses among an app's machines; None where it has none."""
    match before:
        case (machine_id, "vm"):
            chosen = [one for one in machines if one.id == machine_id]
            return _addresses(chosen) if chosen else None
        case (group, "process"):
            chosen = [one for one in machines if _group(one) == group]
        case (value, key, "kv", "_metadata"):
            chosen = [one for one in machines if _has(one, key, value)]
        case (region,):
            chosen = [one for one in machines if one.region == region]
        case _:
            return None
    return _addresses([one for one in chosen if one.started]) if chosen else None


def _addresses(machines: Sequence[Named]) -> Meaning:
    return Meaning(tuple(one.address for one in machines))


def _vms(machines: Sequence[Named]) -> Meaning:
    return Meaning(text=",".join(f"{one.id} {one.region}" for one in machines))


def _regions(machines: Sequence[Named]) -> Meaning:
    return Meaning(text=",".join(dict.fromkeys(one.region for one in machines)))


def _group(machine: Named) -> str:
    return machine.metadata.get(_GROUP_KEY, _GROUP_DEFAULT).lower()


def _has(machine: Named, key: str, value: str) -> bool:
    """Whether a machine has this metadata. Names have no capital letters."""
    return any(
        (its_key.lower(), its_value.lower()) == (key, value)
        for its_key, its_value in machine.metadata.items()
    )


def _is_started(machine: Named) -> bool:
    return machine.started


def _always(_: Named) -> bool:
    return True
