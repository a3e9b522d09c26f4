"""The bodies of requests, in every form that clients are known to send."""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from ephemera.wire.models import Duration, MachineConfig, Wire

#: What Go calls the values of JSON that are no objects, and what Python makes of them.
_KINDS: dict[str, type | tuple[type, ...]] = {
    "array": list,
    "string": str,
    "bool": bool,
    "number": (int, float),
    "null": type(None),
}


class CreateApp(Wire):
    """A new app: `name` in the document and from fly-go, `app_name` in the documentation."""

    name: str | None = None
    app_name: str | None = None
    org_slug: str | None = None
    network: str | None = None
    #: For Kubernetes on Fly.io; without effect here.
    enable_subdomains: bool | None = None


class CreateMachine(Wire):
    """A new machine."""

    config: MachineConfig
    name: str | None = None
    region: str | None = None
    skip_launch: bool | None = None
    skip_service_registration: bool | None = None
    lease_ttl: int | None = None
    skip_secrets: bool | None = None
    min_secrets_version: int | None = None


class UpdateMachine(Wire):
    """A new version of a machine; clients send its name and region too, which stay as they are."""

    config: MachineConfig
    name: str | None = None
    region: str | None = None
    current_version: str | None = None
    skip_launch: bool | None = None
    skip_service_registration: bool | None = None
    lease_ttl: int | None = None
    skip_secrets: bool | None = None
    min_secrets_version: int | None = None


class Stop(Wire):
    """How a machine is to be stopped; fly-go sends its `id` too."""

    signal: str | int | None = None
    timeout: Duration | None = None

    @model_validator(mode="before")
    @classmethod
    def _object(cls, given: object) -> object:
        """Refuse what is no object, in the words that Fly.io is known to have for it."""
        if isinstance(given, dict):
            return given
        kind = next(word for word, kinds in _KINDS.items() if isinstance(given, kinds))
        raise ValueError(f"json: cannot unmarshal {kind} into Go value of type main.stopRequest")


class SendSignal(Wire):
    """A signal by name, or by number as flyctl sends it."""

    signal: str | int


class Exec(Wire):
    """A command to run in a machine; `cmd` is the older form, split as a shell splits words."""

    command: list[str] | None = None
    cmd: str | None = None
    stdin: str | None = None
    timeout: int | None = None
    container: str | None = None


class SetMemoryLimit(Wire):
    """How much memory a machine may use from now on."""

    limit_mb: int


class ReclaimMemory(Wire):
    """How much memory is to be taken back from a machine."""

    amount_mb: int


class AcquireLease(Wire):
    """A lease; the time to live may be in the query instead."""

    description: str | None = None
    ttl: int | None = None


class PutMetadata(Wire):
    """The metadata of a machine, whole or in part; null or an empty string removes a key."""

    metadata: dict[str, str | None] = Field(default_factory=dict)
    machine_version: str | None = None


class PutMetadataKey(Wire):
    """The value of one key."""

    value: str
    updated_at: Any = None
