"""The sections of a `fly.toml` that say how an app is built, released, and made of machines."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from ephemera.deploy.flytoml.values import (
    Environment,
    Gigabytes,
    Megabytes,
    Port,
    Seconds,
    command,
    words,
)

Words = Annotated[str, AfterValidator(words)]
Command = Annotated[str, AfterValidator(command)]


class Section(BaseModel):
    """The base of every section: strict about types, unknown keys kept, never changed."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True, populate_by_name=True)


class OfGroups(Section):
    """A section that may be for some process groups only."""

    #: None, or none: see `of` in `machines.py`.
    processes: list[str] | None = None


class Build(Section):
    """`[build]`: where the image comes from."""

    image: str | None = None
    dockerfile: str | None = None
    #: `python`, `buildah`, `docker` or `host`.
    builder: str | None = None
    #: What the builder `python` puts its layers on. Ours: Fly.io's file has no such key.
    base: str | None = None
    args: Environment = Field(default_factory=dict)
    ignorefile: str | None = None
    build_target: str | None = Field(default=None, validation_alias="build-target")


class Vm(OfGroups):
    """`[[vm]]`: how large machines are."""

    size: str | None = None
    memory: Megabytes | None = None
    memory_mb: Annotated[int, Field(ge=1)] | None = None
    cpus: Annotated[int, Field(ge=1)] | None = None
    cpu_kind: Literal["shared", "performance"] | None = None
    gpus: Annotated[int, Field(ge=0)] | None = None
    gpu_kind: str | None = None
    host_dedication_id: str | None = None
    kernel_args: list[str] | None = None


class Deploy(Section):
    """`[deploy]`: how a release is made."""

    release_command: Command | None = None
    #: In seconds.
    release_command_timeout: Seconds | None = None
    release_command_vm: Vm | None = None
    strategy: Literal["rolling", "bluegreen", "canary", "immediate"] | None = None
    #: Seconds that a machine has to be started and healthy.
    wait_timeout: Seconds | None = None
    #: Below 1 a share of the machines, else how many.
    max_unavailable: Annotated[float, Field(gt=0)] | None = None


class Mount(OfGroups):
    """`[[mounts]]`: a volume, by name, and where it is in the machine."""

    source: str = ""
    destination: str
    #: In GB.
    initial_size: Gigabytes | None = None
    snapshot_retention: Annotated[int, Field(ge=1, le=60)] | None = None
    scheduled_snapshots: bool | None = None
    auto_extend_size_threshold: Annotated[int, Field(ge=1, le=99)] | None = None
    auto_extend_size_increment: Gigabytes | None = None
    auto_extend_size_limit: Gigabytes | None = None


class Static(Section):
    """`[[statics]]`: files that the proxy serves by itself."""

    guest_path: str
    url_prefix: str
    tigris_bucket: str | None = None
    index_document: str | None = None


class File(OfGroups):
    """`[[files]]`: a file that is written into machines. Its contents are one of three."""

    guest_path: str
    #: On this computer, from the folder of the `fly.toml`.
    local_path: str | None = None
    raw_value: str | None = None
    secret_name: str | None = None


class Metrics(OfGroups):
    """`[[metrics]]`: where the app's own metrics are read."""

    port: Port
    path: str
    https: bool | None = None


class Restart(OfGroups):
    """`[[restart]]`: whether a machine whose program ended is started again."""

    policy: Literal["always", "never", "on-failure"]
    retries: Annotated[int, Field(ge=0)] | None = None


class Experimental(Section):
    """`[experimental]`: what runs instead of the image's own command."""

    cmd: list[str] | None = None
    entrypoint: list[str] | None = None
    exec: list[str] | None = None
