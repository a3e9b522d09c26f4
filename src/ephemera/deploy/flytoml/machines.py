"""From a `fly.toml` to the configs of machines."""

from __future__ import annotations

import base64
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from ephemera.deploy.flytoml import checks
from ephemera.deploy.flytoml.guests import guest_of
from ephemera.deploy.flytoml.sections import File, Mount, OfGroups, Restart
from ephemera.deploy.flytoml.services import OuterPort, Service
from ephemera.errors import ConfigError
from ephemera.wire import config as wire
from ephemera.wire import programs, services
from ephemera.wire.durations import format_duration

if TYPE_CHECKING:
    from ephemera.deploy.flytoml.model import FlyToml

OneOf = TypeVar("OneOf", bound=OfGroups)

#: The process group of the machine that runs the release command, as in Fly's client.
RELEASE_GROUP = "fly_app_release_command"
_POLICY: dict[str, programs.RestartPolicy] = {
    "always": "always",
    "never": "no",
    "on-failure": "on-failure",
}


def config(toml: FlyToml, group: str, image: str) -> wire.MachineConfig:
    """Return the config of a machine of a process group: see `FlyToml.machine_config`."""
    if group not in toml.groups():
        known = ", ".join(toml.groups())
        raise ConfigError(
            f"there is no process group '{group}' in {toml.path}", hint=f"there are: {known}"
        )
    made = _common(toml, group, image)
    offered = toml.services_of(group)
    made.files = [_file(toml, file) for file in of(toml, toml.files, group)] or None
    made.init = _init(toml, toml.processes.get(group))
    made.services = [_service(service) for service in offered] or None
    made.checks = checks.top_checks(toml, group) or None
    made.mounts = [_mount(mount) for mount in of(toml, toml.mounts, group)] or None
    made.statics = [
        services.Static(**static.model_dump(exclude_none=True)) for static in toml.statics
    ] or None
    made.guest = guest_of(_of_all(toml.vm, group), toml.host_dedication_id)
    made.restart = _restart(_of_all(toml.restart, group))
    metrics = of(toml, toml.metrics, group)
    if metrics:
        made.metrics = services.Metrics(
            port=metrics[0].port, path=metrics[0].path, https=metrics[0].https
        )
    return made


def release(toml: FlyToml, image: str) -> wire.MachineConfig:
    """Return the config of the machine of a release command: see `FlyToml.release_config`."""
    command = toml.deploy.release_command
    if command is None:
        raise ConfigError(f"{toml.path} has no [deploy] release_command")
    made = _common(toml, RELEASE_GROUP, image)
    made.env = {**(made.env or {}), "RELEASE_COMMAND": "1"}
    made.files = [_file(toml, file) for file in toml.files if not file.processes] or None
    made.init = programs.Init(
        cmd=shlex.split(command),
        entrypoint=toml.experimental.entrypoint,
        swap_size_mb=toml.swap_size_mb,
    )
    vm = toml.deploy.release_command_vm
    made.guest = guest_of([vm] if vm else _of_all(toml.vm, toml.default_group()))
    made.restart = programs.Restart(policy="no")
    made.dns = wire.Dns(skip_registration=True)
    return made


def _common(toml: FlyToml, group: str, image: str) -> wire.MachineConfig:
    """Return what every machine of an app has."""
    env = {**toml.env, "FLY_PROCESS_GROUP": group}
    if toml.primary_region:
        env["PRIMARY_REGION"] = toml.primary_region
    return wire.MachineConfig(
        image=image,
        env=env,
        metadata={"fly_process_group": group, "fly_platform_version": "v2"},
        stop_config=_stop_config(toml),
    )


def of(toml: FlyToml, sections: Sequence[OneOf], group: str) -> list[OneOf]:
    """Return the sections of a group. Those that name none are of the default group."""
    default = [toml.default_group()]
    return [section for section in sections if group in (section.processes or default)]


def _of_all(sections: Sequence[OneOf], group: str) -> list[OneOf]:
    """Return the sections of a group. Those that name none are of every group."""
    return [section for section in sections if group in (section.processes or [group])]


def _init(toml: FlyToml, command: str | None) -> programs.Init | None:
    instead = toml.experimental
    made = programs.Init(
        cmd=shlex.split(command) if command else instead.cmd,
        entrypoint=instead.entrypoint,
        exec=instead.exec,
        swap_size_mb=toml.swap_size_mb,
    )
    return made if made.model_dump(exclude_none=True) else None


def _stop_config(toml: FlyToml) -> programs.StopConfig | None:
    if toml.kill_signal is None and toml.kill_timeout is None:
        return None
    timeout = None if toml.kill_timeout is None else format_duration(toml.kill_timeout)
    return programs.StopConfig(signal=toml.kill_signal, timeout=timeout)


def _restart(sections: Sequence[Restart]) -> programs.Restart | None:
    if not sections:
        return None
    last = sections[-1]
    return programs.Restart(policy=_POLICY[last.policy], max_retries=last.retries)


def _mount(mount: Mount) -> wire.Mount:
    return wire.Mount(
        name=mount.source or None,
        path=mount.destination,
        size_gb=mount.initial_size,
        extend_threshold_percent=mount.auto_extend_size_threshold,
        add_size_gb=mount.auto_extend_size_increment,
        size_gb_limit=mount.auto_extend_size_limit,
    )


def _service(service: Service) -> services.Service:
    limits = service.concurrency
    return services.Service(
        protocol=service.protocol or "tcp",
        internal_port=service.internal_port,
        ports=[_port(port) for port in service.ports] or None,
        concurrency=services.Concurrency(**limits.model_dump()) if limits else None,
        autostart=service.auto_start_machines,
        autostop=service.auto_stop_machines,
        min_machines_running=service.min_machines_running,
        checks=checks.service_checks(service) or None,
    )


def _port(port: OuterPort) -> services.Port:
    return services.Port.model_validate(port.model_dump(exclude_none=True))


def _file(toml: FlyToml, file: File) -> programs.File:
    """Return a file as machines are given it.

    Raises:
        ConfigError: it is on this computer, and cannot be read.
    """
    if file.secret_name is not None:
        return programs.File(guest_path=file.guest_path, secret_name=file.secret_name)
    if file.local_path is None:
        content = (file.raw_value or "").encode()
    else:
        content = _read(toml, file.local_path)
    return programs.File(guest_path=file.guest_path, raw_value=base64.b64encode(content).decode())


def _read(toml: FlyToml, local_path: str) -> bytes:
    place = toml.path.parent / local_path
    try:
        return place.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"{toml.path}: the file {place} of [[files]] cannot be read: {error.strerror}"
        ) from error
