"""The config of a machine, as it travels.

Its larger parts are in `programs.py`, `services.py` and `containers.py`. All of them are only
shapes: which fields there are, and of what type. Which values make sense is for the platform to
say (`platform/configs`), so that a client can still read what Fly.io answers when it knows a word
more than we do. Where the official document and what clients send differ (`autostop` as a word or
yes and no, `persist` as a word or a number, durations as text or number), both forms are read,
and kept as they came.

Source of the fields: the `fly.*` schemas of the official OpenAPI document.
"""

from __future__ import annotations

from typing import Literal

from ephemera.wire.containers import Container, ContainerVolume
from ephemera.wire.programs import File, Init, Process, Restart, StopConfig
from ephemera.wire.resource import Wire
from ephemera.wire.services import Check, Metrics, Service, Static

#: Whether the root file system outlives a boot; 0 to 3 in older clients.
Persist = Literal["never", "always", "restart"] | int


class Guest(Wire):
    """How large a machine is."""

    cpu_kind: str | None = None
    cpus: int | None = None
    memory_mb: int | None = None
    #: How far the memory of a running machine may be raised.
    max_memory_mb: int | None = None
    gpus: int | None = None
    gpu_kind: str | None = None
    host_dedication_id: str | None = None
    kernel_args: list[str] | None = None
    #: Deprecated: `rootfs.persist` says it.
    persist_rootfs: Persist | None = None


class Mount(Wire):
    """Where a volume is in the machine."""

    #: The volume's id.
    volume: str | None = None
    path: str | None = None
    name: str | None = None
    encrypted: bool | None = None
    size_gb: int | None = None
    #: The volume is extended by `add_size_gb` when it is as full as this, up to `size_gb_limit`.
    extend_threshold_percent: int | None = None
    add_size_gb: int | None = None
    size_gb_limit: int | None = None


class DnsOption(Wire):
    """An option of the resolver."""

    name: str = ""
    value: str | None = None


class DnsForwardRule(Wire):
    """Whom to ask for the names below one name."""

    basename: str = ""
    addr: str = ""


class Dns(Wire):
    """How a machine finds names, and what it is called."""

    skip_registration: bool | None = None
    nameservers: list[str] | None = None
    searches: list[str] | None = None
    options: list[DnsOption] | None = None
    dns_forward_rules: list[DnsForwardRule] | None = None
    hostname: str | None = None
    hostname_fqdn: str | None = None


class Rootfs(Wire):
    """What becomes of the root file system between two boots, and how large it is."""

    persist: Persist | None = None
    size_gb: int | None = None


class CacheDrive(Wire):
    """A drive whose contents may be lost."""

    size_mb: int | None = None


class Spot(Wire):
    """For how much less than its price a machine is had while nobody else wants the room."""

    #: Above 0, at most 1.
    max_price_fraction: float | None = None


class MachineConfig(Wire):
    """What a machine is made of. Only `image` is required when one is created."""

    image: str | None = None
    env: dict[str, str] | None = None
    guest: Guest | None = None
    #: Deprecated: the name of a guest, such as `shared-cpu-1x`.
    size: str | None = None
    init: Init | None = None
    restart: Restart | None = None
    auto_destroy: bool | None = None
    stop_config: StopConfig | None = None
    files: list[File] | None = None
    metadata: dict[str, str] | None = None
    services: list[Service] | None = None
    checks: dict[str, Check] | None = None
    mounts: list[Mount] | None = None
    processes: list[Process] | None = None
    #: `hourly`, `daily`, `weekly` or `monthly`.
    schedule: str | None = None
    #: The ids of the machines for which this one stands by.
    standbys: list[str] | None = None
    metrics: Metrics | None = None
    statics: list[Static] | None = None
    dns: Dns | None = None
    containers: list[Container] | None = None
    volumes: list[ContainerVolume] | None = None
    rootfs: Rootfs | None = None
    cache_drive: CacheDrive | None = None
    spot: Spot | None = None
    #: Deprecated: `services[].autostart` says it.
    disable_machine_autostart: bool | None = None
