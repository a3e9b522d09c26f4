"""Several images in one machine, and the folders that they share.

Source: besides the official document Fly's own client, which alone has `volumes` and the
`mounts` of a container.
"""

from __future__ import annotations

from ephemera.wire.programs import EnvFrom, File, MachineSecret, Restart, StopConfig
from ephemera.wire.resource import Duration, Wire
from ephemera.wire.services import HttpHeader


class ContainerDependency(Wire):
    """Which container must be there first."""

    name: str = ""
    #: `started`, `healthy` or `exited_successfully`.
    condition: str | None = None


class ExecHealthcheck(Wire):
    """Healthy is a container in which this command succeeds."""

    command: list[str] | None = None


class HttpHealthcheck(Wire):
    """Healthy is a container that answers this request."""

    port: int | None = None
    method: str | None = None
    path: str | None = None
    #: `http` or `https`.
    scheme: str | None = None
    headers: list[HttpHeader] | None = None
    tls_skip_verify: bool | None = None
    tls_server_name: str | None = None


class TcpHealthcheck(Wire):
    """Healthy is a container that takes a connection."""

    port: int | None = None


class ContainerHealthcheck(Wire):
    """How it is found out whether a container is healthy."""

    name: str | None = None
    #: `readiness` or `liveness`.
    kind: str | None = None
    exec: ExecHealthcheck | None = None
    http: HttpHealthcheck | None = None
    tcp: TcpHealthcheck | None = None
    interval: Duration | None = None
    timeout: Duration | None = None
    grace_period: Duration | None = None
    success_threshold: int | None = None
    failure_threshold: int | None = None
    #: `stop`.
    unhealthy: str | None = None


class ContainerMount(Wire):
    """Where one of the config's `volumes` is in a container."""

    name: str = ""
    path: str = ""


class Container(Wire):
    """One of several images that a machine runs."""

    name: str | None = None
    image: str | None = None
    exec: list[str] | None = None
    entrypoint: list[str] | None = None
    cmd: list[str] | None = None
    user: str | None = None
    env: dict[str, str] | None = None
    env_from: list[EnvFrom] | None = None
    secrets: list[MachineSecret] | None = None
    files: list[File] | None = None
    mounts: list[ContainerMount] | None = None
    restart: Restart | None = None
    stop: StopConfig | None = None
    depends_on: list[ContainerDependency] | None = None
    healthchecks: list[ContainerHealthcheck] | None = None


class TempDir(Wire):
    """An empty folder that containers share."""

    #: `disk` or `memory`.
    storage_type: str | None = None
    size_mb: int | None = None


class ContainerVolume(Wire):
    """What containers can mount: an empty folder, or the files of an image."""

    name: str = ""
    temp_dir: TempDir | None = None
    image: str | None = None
