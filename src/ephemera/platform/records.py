"""What the platform knows of apps, machines and events: values, read from the store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ephemera.platform.states import State


@dataclass(frozen=True, slots=True)
class AppRecord:
    """An app that lives."""

    id: str
    name: str
    org_slug: str
    #: The private network of its machines; empty for one that no other app shares.
    network: str
    created_at: float
    #: Whether the machines of its network may reach the world outside of it.
    outside: bool = True


@dataclass(frozen=True, slots=True)
class EventRecord:
    """One thing that happened to a machine, in the API's own words."""

    id: str
    machine_id: str
    type: str
    status: str
    source: str
    #: Milliseconds since 1970.
    timestamp: int
    request: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class MachineRecord:
    """A machine, alive or destroyed. The columns are described in `schema.py`."""

    id: str
    app_id: str
    name: str
    state: State
    generation: int
    region: str
    instance_id: str
    config: dict[str, Any]
    launch: bool
    boot: int
    handle: str
    stop_signal: int | None
    stop_by: float | None
    restarts: list[float]
    log_from: str
    created_at: float
    updated_at: float
    cordoned: bool = False
    secrets_version: int = 0
    run_at: float | None = None


@dataclass(frozen=True, slots=True)
class VersionRecord:
    """A config that a machine has, or had."""

    machine_id: str
    #: The `instance_id` that the machine had with it.
    version: str
    config: dict[str, Any]
    created_at: float


@dataclass(frozen=True, slots=True)
class LeaseRecord:
    """Who alone may change a machine, until when."""

    machine_id: str
    nonce: str
    owner: str
    description: str
    #: Seconds since 1970. The API shows whole ones.
    expires_at: float
    version: str
