"""What must hold between the keys of a `fly.toml`, each of which is right by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ephemera.deploy.flytoml import machines
from ephemera.deploy.flytoml.guests import is_size
from ephemera.deploy.flytoml.problems import Path_, Problem
from ephemera.deploy.flytoml.sections import OfGroups
from ephemera.deploy.flytoml.services import AnyService, OuterPort, Service

if TYPE_CHECKING:
    from ephemera.deploy.flytoml.model import FlyToml


def problems(toml: FlyToml) -> list[Problem]:
    """Return all that do not go together; empty where all is well."""
    return [
        *_groups_that_are_not(toml),
        *_sizes(toml),
        *_mounts(toml),
        *_services(toml),
        *_files(toml),
        *_checks(toml),
    ]


def _groups_that_are_not(toml: FlyToml) -> Iterator[Problem]:
    known = ", ".join(toml.groups())
    for where, section in _of_groups(toml):
        for group in section.processes or ():
            if group not in toml.groups():
                said = f"names the process group '{group}'; there are: {known}"
                yield Problem((*where, "processes"), said)


def _of_groups(toml: FlyToml) -> Iterator[tuple[Path_, OfGroups]]:
    """Yield all sections that may be for some groups only, with where each is."""
    lists: dict[str, Sequence[OfGroups]] = {
        "services": toml.services,
        "mounts": toml.mounts,
        "vm": toml.vm,
        "files": toml.files,
        "metrics": toml.metrics,
        "restart": toml.restart,
    }
    for name, sections in lists.items():
        for number, section in enumerate(sections):
            yield (name, number), section
    for name, check in toml.checks.items():
        yield ("checks", name), check
    if toml.http_service:
        yield ("http_service",), toml.http_service


def _sizes(toml: FlyToml) -> Iterator[Problem]:
    for number, vm in enumerate(toml.vm):
        if vm.size is not None and not is_size(vm.size):
            said = f"is {vm.size!r}; a size such as 'shared-cpu-1x' or 'performance-2x' is needed"
            yield Problem(("vm", number, "size"), said)


def _mounts(toml: FlyToml) -> Iterator[Problem]:
    for group in toml.groups():
        mounts = machines.of(toml, toml.mounts, group)
        if len(mounts) > 1:
            last = max(n for n, mount in enumerate(toml.mounts) if mount in mounts)
            said = f"is one too many: a machine of the group '{group}' mounts one volume at most"
            yield Problem(("mounts", last), said)
    for number, mount in enumerate(toml.mounts):
        if not mount.destination.startswith("/"):
            said = f"is {mount.destination!r}; a path from the root, such as '/data', is needed"
            yield Problem(("mounts", number, "destination"), said)


def _services(toml: FlyToml) -> Iterator[Problem]:
    if toml.http_service:
        yield from _limits(("http_service",), toml.http_service)
    for number, service in enumerate(toml.services):
        where: Path_ = ("services", number)
        yield from _limits(where, service)
        for place, port in enumerate(service.ports):
            yield from _port((*where, "ports", place), port)
    for group in toml.groups():
        yield from _twice(toml, group)


def _limits(where: Path_, service: AnyService) -> Iterator[Problem]:
    limits = service.concurrency
    if limits and limits.soft_limit and limits.hard_limit and limits.soft_limit > limits.hard_limit:
        said = f"is {limits.soft_limit}, above the hard_limit, {limits.hard_limit}"
        yield Problem((*where, "concurrency", "soft_limit"), said)


def _port(where: Path_, port: OuterPort) -> Iterator[Problem]:
    if port.port is None and (port.start_port is None or port.end_port is None):
        yield Problem(where, "needs a port, or a start_port and an end_port")
    elif port.port is not None and (port.start_port or port.end_port):
        yield Problem(where, "has a port and a range of ports; one of the two is needed")


def _twice(toml: FlyToml, group: str) -> Iterator[Problem]:
    """Find ports that two services of a group would both have."""
    counted = Counter(
        (service.protocol or "tcp", port.port)
        for service in toml.services_of(group)
        for port in service.ports
        if port.port is not None
    )
    for (protocol, number), times in counted.items():
        if times > 1:
            said = f"have {protocol} port {number} {times} times in the group '{group}'"
            yield Problem(_last_with(toml.services, number), said)


def _last_with(services: Sequence[Service], number: int) -> Path_:
    for at in reversed(range(len(services))):
        if any(port.port == number for port in services[at].ports):
            return "services", at, "ports"
    return ("services",)


def _files(toml: FlyToml) -> Iterator[Problem]:
    for number, file in enumerate(toml.files):
        given = [file.local_path, file.raw_value, file.secret_name]
        if sum(one is not None for one in given) != 1:
            said = "needs one of local_path, raw_value and secret_name"
            yield Problem(("files", number), said)
        if not file.guest_path.startswith("/"):
            said = f"is {file.guest_path!r}; a path from the root is needed"
            yield Problem(("files", number, "guest_path"), said)


def _checks(toml: FlyToml) -> Iterator[Problem]:
    for name, check in toml.checks.items():
        if check.port is None and toml.http_service is None:
            yield Problem(("checks", name), "needs a port, as there is no [http_service]")
