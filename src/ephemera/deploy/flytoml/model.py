"""A whole `fly.toml`, read and checked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, PrivateAttr

from ephemera.deploy.flytoml import machines
from ephemera.deploy.flytoml.sections import (
    Build,
    Command,
    Deploy,
    Experimental,
    File,
    Metrics,
    Mount,
    Restart,
    Section,
    Static,
    Vm,
    Words,
)
from ephemera.deploy.flytoml.services import HttpService, Service, TopCheck
from ephemera.deploy.flytoml.values import Environment, Groups, Listed, Seconds
from ephemera.wire.config import MachineConfig
from ephemera.wire.programs import StopSignal

DEFAULT_GROUP = "app"


class FlyToml(Section):
    """What a `fly.toml` says. Keys that are not known are kept."""

    app: str | None = None
    primary_region: str | None = None
    kill_signal: StopSignal | None = None
    #: Seconds between the signal and the end; at most 300.
    kill_timeout: Annotated[Seconds, Field(le=300)] | None = None
    swap_size_mb: Annotated[int, Field(ge=0)] | None = None
    console_command: Command | None = None
    experimental: Experimental = Experimental()
    build: Build = Build()
    deploy: Deploy = Deploy()
    env: Environment = Field(default_factory=dict)
    #: The command of each process group; the image's own where it is empty.
    processes: Annotated[dict[str, Words], Groups] = Field(default_factory=dict)
    mounts: Annotated[tuple[Mount, ...], Listed] = ()
    http_service: HttpService | None = None
    services: Annotated[tuple[Service, ...], Listed] = ()
    checks: dict[str, TopCheck] = Field(default_factory=dict)
    vm: Annotated[tuple[Vm, ...], Listed] = ()
    statics: Annotated[tuple[Static, ...], Listed] = ()
    files: Annotated[tuple[File, ...], Listed] = ()
    metrics: Annotated[tuple[Metrics, ...], Listed] = ()
    restart: Annotated[tuple[Restart, ...], Listed] = ()
    host_dedication_id: str | None = None

    _path: Path = PrivateAttr(default=Path("fly.toml"))

    @property
    def path(self) -> Path:
        """The file it was read from. What it names by `local_path` is beside it."""
        return self._path

    def groups(self) -> list[str]:
        """Return the process groups, in the order of the file: `app` where none is named."""
        return list(self.processes) or [DEFAULT_GROUP]

    def default_group(self) -> str:
        """Return the group that has what names no group: `app`, else the first by its name."""
        groups = self.groups()
        return DEFAULT_GROUP if DEFAULT_GROUP in groups else min(groups)

    def services_of(self, group: str) -> list[Service]:
        """Return what the machines of a group offer; the `http_service` is one of it."""
        web = (self.http_service.as_service(),) if self.http_service else ()
        return machines.of(self, web + self.services, group)

    def machine_config(self, group: str, image: str) -> MachineConfig:
        """Return the config of a machine of a process group that is made from `image`.

        Mounts have the volume's name and no id: whoever makes the machine knows which volume it is.

        Raises:
            ConfigError: there is no such group, or a file that the machine is to have cannot be
                read.
        """
        return machines.config(self, group, image)

    def release_config(self, image: str) -> MachineConfig:
        """Return the config of the machine that runs `[deploy] release_command`.

        It has no services, checks and mounts, is not started again, and has the size of
        `release_command_vm`, else of the first group.

        Raises:
            ConfigError: there is no release command, or a file cannot be read.
        """
        return machines.release(self, image)
