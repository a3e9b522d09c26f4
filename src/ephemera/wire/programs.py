"""What a machine runs: its programs with their environments and files, and how they end."""

from __future__ import annotations

from typing import Annotated, Literal

from ephemera.wire.resource import NONE_IF_EMPTY, Duration, Wire

RestartPolicy = Literal["no", "always", "on-failure", "spot-price"]
StopSignal = Literal[
    "SIGHUP", "SIGINT", "SIGQUIT", "SIGKILL", "SIGUSR1", "SIGUSR2", "SIGTERM"
]  # fmt: skip


class Init(Wire):
    """What the machine runs instead of its image's own command."""

    exec: list[str] | None = None
    entrypoint: list[str] | None = None
    cmd: list[str] | None = None
    tty: bool | None = None
    swap_size_mb: int | None = None
    kernel_args: list[str] | None = None


class Restart(Wire):
    """Whether a machine whose program ended is started again.

    The API's own default, when this is absent, is `on-failure` with 10 retries in 5 minutes.
    """

    policy: Annotated[RestartPolicy | None, NONE_IF_EMPTY] = None
    max_retries: int | None = None
    gpu_bid_price: float | None = None


class StopConfig(Wire):
    """How a machine is asked to end, and for how long before it is killed (at most 300 s)."""

    signal: Annotated[StopSignal | None, NONE_IF_EMPTY] = None
    timeout: Duration | None = None


class File(Wire):
    """A file to be written into the machine before it starts. Its contents are one of three."""

    guest_path: str
    #: Base64 of the contents.
    raw_value: str | None = None
    #: The secret whose value is the base64 of the contents.
    secret_name: str | None = None
    #: The image whose config is the contents.
    image_config: str | None = None
    mode: int | None = None


class EnvFrom(Wire):
    """An environment variable whose value is a field of the machine."""

    env_var: str = ""
    #: `id`, `version`, `app_name`, `private_ip`, `region` or `image`.
    field_ref: str = ""


class MachineSecret(Wire):
    """An environment variable whose value is a secret of the app."""

    env_var: str = ""
    #: The secret's name, where it is not that of the variable.
    name: str | None = None


class Process(Wire):
    """One of several programs of a machine. The machine ends when any of them does."""

    exec: list[str] | None = None
    entrypoint: list[str] | None = None
    cmd: list[str] | None = None
    user: str | None = None
    env: dict[str, str] | None = None
    env_from: list[EnvFrom] | None = None
    secrets: list[MachineSecret] | None = None
    #: Give it only the secrets in `secrets`.
    ignore_app_secrets: bool | None = None
