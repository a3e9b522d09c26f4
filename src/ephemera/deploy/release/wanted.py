"""What a machine of the new release is to be like: what the files say, and what stays of before.

| From the files | From the machine that it replaces |
|---|---|
| image, variables, command, services, checks | its volume |
| its size, where there is a `[[vm]]` | its size, where there is none: `scale` has set it |
| labels of the release | labels that somebody else has given it |
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ephemera.deploy.release import labels, ports
from ephemera.wire.config import Mount
from ephemera.wire.models import Machine, MachineConfig
from ephemera.wire.services import Check

#: Often enough to see a program that stopped listening; each one is a connection.
_LISTENING_EVERY = "10s"
_LISTENING_WITHIN = "2s"


def merged(
    config: MachineConfig, before: Machine | None, fresh: bool, free_ports: Iterator[int]
) -> MachineConfig:
    """Return the config of a machine.

    Args:
        config: As the files have it.
        before: The machine that it replaces, or is.
        fresh: Whether it is another one, with a volume and a port of its own.
        free_ports: Where one is taken from, if it needs one.
    """
    found = config.model_copy(deep=True)
    if before is not None:
        found.guest = found.guest or config_of(before).guest
        found.metadata = {**labels.foreign(before), **(found.metadata or {})}
        if not fresh:
            found.mounts = _mounts(found.mounts or (), config_of(before).mounts or ()) or None
            found.standbys = found.standbys or config_of(before).standbys
    found.checks = {**_listening(found), **(found.checks or {})} or None
    had = None if fresh or before is None else ports.of(labels.of(before))
    return _with_port(found, had, free_ports)


def again(machine: Machine, fresh: bool, free_ports: Iterator[int]) -> MachineConfig:
    """Return the config that a machine has, for itself or for another one like it.

    Args:
        fresh: Whether it is for another one, with a volume and a port of its own.
        free_ports: Where one is taken from, if it needs one.
    """
    found = config_of(machine).model_copy(deep=True)
    group = {labels.GROUP: labels.group(machine)}
    platform = {key: value for key, value in labels.of(machine).items() if key == labels.PLATFORM}
    found.metadata = {**labels.foreign(machine), **platform, **group}
    if fresh:
        found.mounts = [
            mount.model_copy(update={"volume": None}) for mount in found.mounts or ()
        ] or None
    had = ports.of(labels.of(machine))
    return found if had is None else _with_port(found, None if fresh else had, free_ports)


def _with_port(config: MachineConfig, had: int | None, free: Iterator[int]) -> MachineConfig:
    if not ports.needs_own(config):
        return config
    return ports.own(config, had or next(free))


def labelled(config: MachineConfig, said: Mapping[str, str]) -> MachineConfig:
    """Return a config with more labels."""
    return config.model_copy(update={"metadata": {**(config.metadata or {}), **said}})


def keeps_volume(machine: Machine, config: MachineConfig) -> bool:
    """Return whether a machine can have this config: a machine has one volume for its life."""
    return _volumes(config_of(machine)) == _volumes(config)


def _listening(config: MachineConfig) -> dict[str, Check]:
    """Return a check for each service that has none: that its port takes connections.

    It tells a release that the program is there, also on Fly.io. It is not one of the service, so
    the proxy does not wait for it when it wakes a machine.
    """
    return {
        f"listening-{service.internal_port}": Check(
            type="tcp",
            port=service.internal_port,
            interval=_LISTENING_EVERY,
            timeout=_LISTENING_WITHIN,
        )
        for service in config.services or ()
        if not service.checks and service.protocol != "udp"
    }


def _mounts(wanted: Sequence[Mount], present: Sequence[Mount]) -> list[Mount]:
    """Return the mounts that are wanted, with the volumes that the machine has already."""
    had = {mount.name: mount.volume for mount in present}
    return [
        mount.model_copy(update={"volume": mount.volume or had.get(mount.name)}) for mount in wanted
    ]


def _volumes(config: MachineConfig) -> list[str | None]:
    return [mount.volume for mount in config.mounts or ()]


def config_of(machine: Machine) -> MachineConfig:
    """Return the config of a machine, as far as the API knows it."""
    return machine.config or machine.incomplete_config or MachineConfig()
