"""The resources of the Machines API as they travel, for the client and the platform alike.

Fields that we do not know are kept (`extra="allow"`), so that reading a machine's config,
changing one value and writing it back never drops a setting that Fly added since. Types are
strict, as Fly's Go server is: `"cpus": "2"` is an error, not two.

Source of the fields: the official OpenAPI document, and where it differs from what the real
API answers, the latter.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from ephemera.wire.durations import parse_duration


def _check_duration(value: str | int | float) -> str | int | float:
    parse_duration(value)
    return value


#: A Go duration string, seconds, or nanoseconds; kept as it was sent.
Duration = Annotated[str | int | float, AfterValidator(_check_duration)]

RestartPolicy = Literal["no", "always", "on-failure", "spot-price"]
StopSignal = Literal[
    "SIGHUP", "SIGINT", "SIGQUIT", "SIGKILL", "SIGUSR1", "SIGUSR2", "SIGTERM"
]  # fmt: skip


class Wire(BaseModel):
    """The base of every resource: strict about types, unknown fields kept."""

    model_config = ConfigDict(extra="allow", strict=True)


class Organization(Wire):
    """Whom an app belongs to."""

    name: str = ""
    slug: str = ""


class App(Wire):
    """An app: the name that machines, secrets and a private network hang on."""

    id: str = ""
    name: str = ""
    status: str = ""
    machine_count: int = 0
    volume_count: int = 0
    network: str = ""
    organization: Organization | None = None


class AppList(Wire):
    """The answer to listing the apps of an organisation."""

    total_apps: int = 0
    apps: list[App] = Field(default_factory=list)


class Guest(Wire):
    """How large a machine is."""

    cpu_kind: str | None = None
    cpus: int | None = None
    memory_mb: int | None = None


class Init(Wire):
    """What the machine runs instead of its image's own command."""

    exec: list[str] | None = None
    entrypoint: list[str] | None = None
    cmd: list[str] | None = None
    tty: bool | None = None


class Restart(Wire):
    """Whether a machine whose program ended is started again.

    The API's own default, when this is absent, is `on-failure` with 10 retries in 5 minutes.
    """

    policy: RestartPolicy | None = None
    max_retries: int | None = None


class StopConfig(Wire):
    """How a machine is asked to end, and for how long before it is killed (at most 300 s)."""

    signal: StopSignal | None = None
    timeout: Duration | None = None


class File(Wire):
    """A file to be written into the machine before it starts."""

    guest_path: str
    #: Base64 of the contents.
    raw_value: str | None = None
    secret_name: str | None = None
    mode: int | None = None


class MachineConfig(Wire):
    """What a machine is made of. Only `image` is required when one is created."""

    image: str | None = None
    env: dict[str, str] | None = None
    guest: Guest | None = None
    init: Init | None = None
    restart: Restart | None = None
    auto_destroy: bool | None = None
    stop_config: StopConfig | None = None
    files: list[File] | None = None
    metadata: dict[str, str] | None = None
    services: list[dict[str, Any]] | None = None
    checks: dict[str, dict[str, Any]] | None = None
    mounts: list[dict[str, Any]] | None = None
    processes: list[dict[str, Any]] | None = None
    schedule: str | None = None
    standbys: list[str] | None = None


class ExitEvent(Wire):
    """How the main program of a machine ended."""

    exit_code: int = 0
    guest_exit_code: int = 0
    #: -1 where no signal ended it.
    signal: int = -1
    guest_signal: int = -1
    error: str = ""
    guest_error: str = ""
    oom_killed: bool = False
    requested_stop: bool = False
    restarting: bool = False
    exited_at: str | int | None = None


class MachineEvent(Wire):
    """One thing that happened to a machine. Lists of them are newest first."""

    id: str = ""
    type: str = ""
    status: str = ""
    source: str = ""
    #: Milliseconds since 1970, UTC.
    timestamp: int = 0
    request: dict[str, Any] | None = None

    def exit_event(self) -> ExitEvent | None:
        """Return how the program ended, or None where this event does not tell.

        The API has used two places for it, `MonitorEvent.exit_event` and `exit_event`; where
        both are there the first is the one to believe, as Fly's own client does.
        """
        request = self.request or {}
        monitor = request.get("MonitorEvent")
        found = monitor.get("exit_event") if isinstance(monitor, dict) else None
        found = found if found is not None else request.get("exit_event")
        return ExitEvent.model_validate(found) if isinstance(found, dict) else None


class ImageRef(Wire):
    """The image a machine runs, taken apart."""

    registry: str = ""
    repository: str = ""
    tag: str = ""
    digest: str = ""
    labels: dict[str, str] | None = None


class LeaseSummary(Wire):
    """A lease as others may see it: without its nonce."""

    description: str = ""
    expires_at: int = 0
    owner: str = ""


class Machine(Wire):
    """A machine. `instance_id` changes with every update: it is the machine's version."""

    id: str = ""
    name: str = ""
    state: str = ""
    region: str = ""
    instance_id: str = ""
    private_ip: str = ""
    image_ref: ImageRef | None = None
    created_at: str = ""
    updated_at: str = ""
    config: MachineConfig | None = None
    incomplete_config: MachineConfig | None = None
    events: list[MachineEvent] | None = None
    nonce: str | None = None
    host_status: str | None = None
    lease: LeaseSummary | None = None

    def last_exit(self) -> ExitEvent | None:
        """Return how the newest boot ended, or None while it runs or never ran.

        Never only the newest event: a `stop` or `destroy` pushes the exit down, and an exit
        that is older than the newest start belongs to an earlier boot.
        """
        for event in self.events or ():
            if event.type == "exit":
                return event.exit_event() or ExitEvent()
            if event.type in ("launch", "start"):
                return None
        return None


class Lease(Wire):
    """The right to be the only one who changes a machine, until it expires."""

    nonce: str = ""
    #: Seconds since 1970, UTC.
    expires_at: int = 0
    owner: str = ""
    description: str = ""
    version: str = ""


class WaitResult(Wire):
    """The answer to a wait that was fulfilled."""

    ok: bool = True
    state: str = ""
    version: str = ""
    event_id: str = ""


class ExecResult(Wire):
    """What a command run inside a machine printed, and how it ended."""

    exit_code: int = 0
    exit_signal: int = 0
    stdout: str = ""
    stderr: str = ""


class StartResult(Wire):
    """The answer to a start."""

    previous_state: str = ""
    migrated: bool = False
    new_host: str = ""


class LogEntry(Wire):
    """One line of an app's log stream."""

    #: RFC 3339 in UTC, with microseconds.
    timestamp: str
    #: `app` (what the machine printed), `runner` (what the platform did), or `proxy`.
    provider: str
    #: The machine's id; empty for lines about the app as a whole.
    instance: str = ""
    region: str = ""
    level: str = "info"
    message: str = ""

    def line(self) -> str:
        """Return it in Fly's form: `2022-09-20T04:08:07Z runner[5683009c] iad [info]...`."""
        second = self.timestamp[:19] + "Z"
        return (
            f"{second} {self.provider}[{self.instance}] {self.region} [{self.level}]{self.message}"
        )


class LogPage(Wire):
    """Some lines of a log stream, oldest first, and where to go on."""

    entries: list[LogEntry] = Field(default_factory=list)
    next_token: str = ""
