"""The resources of the Machines API as they travel, for the client and the platform alike.

What a machine is made of, its config, is in `config.py` and beside it.

Source of the fields: the official OpenAPI document, and where it differs from what the real
API answers, the latter.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from ephemera.wire.config import Guest as Guest
from ephemera.wire.config import MachineConfig as MachineConfig
from ephemera.wire.golang import GoWire
from ephemera.wire.programs import File as File
from ephemera.wire.programs import Init as Init
from ephemera.wire.programs import Restart as Restart
from ephemera.wire.programs import RestartPolicy as RestartPolicy
from ephemera.wire.programs import StopConfig as StopConfig
from ephemera.wire.programs import StopSignal as StopSignal
from ephemera.wire.resource import Duration as Duration
from ephemera.wire.resource import Wire as Wire


class Organization(GoWire):
    """Whom an app belongs to."""

    name: str = ""
    slug: str = ""
    internal_numeric_id: int = 0


class App(GoWire):
    """An app: the name that machines, secrets and a private network hang on."""

    id: str = ""
    name: str = ""
    status: str = ""
    machine_count: int = 0
    volume_count: int = 0
    network: str = ""
    network_cidr: str = ""
    internal_numeric_id: int = 0
    organization: Organization | None = None


class AppList(GoWire):
    """The answer to listing the apps of an organisation."""

    total_apps: int = 0
    apps: list[App] = Field(default_factory=list)


class ExitEvent(GoWire):
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


class MachineEvent(GoWire):
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


class ImageRef(GoWire):
    """The image a machine runs, taken apart."""

    registry: str = ""
    repository: str = ""
    tag: str = ""
    digest: str = ""
    labels: dict[str, str] | None = None


class LeaseSummary(GoWire):
    """A lease as others may see it: without its nonce."""

    description: str = ""
    expires_at: int = 0
    owner: str = ""


class CheckStatus(GoWire):
    """What a health check of a machine found last."""

    name: str = ""
    #: `passing`, `warning` or `critical`.
    status: str = ""
    output: str = ""
    updated_at: str = ""


class Machine(GoWire):
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
    #: What is known of the config where the host does not answer; `config` is missing then.
    incomplete_config: MachineConfig | None = None
    events: list[MachineEvent] | None = None
    nonce: str | None = None
    #: `ok`, `unknown` or `unreachable`; empty in summaries.
    host_status: str | None = None
    cordoned: bool | None = None
    checks: list[CheckStatus] | None = None
    lease: LeaseSummary | None = None

    @property
    def state_for_people(self) -> str:
        """The state, and that it is the last one known where the machine's host does not answer."""
        return (
            self.state
            if self.host_status in (None, "", "ok")
            else f"{self.state}, host {self.host_status}"
        )

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


class MachineVersion(GoWire):
    """A config that a machine has or had, and the `instance_id` it had with it."""

    version: str = ""
    user_config: MachineConfig | None = None


class Lease(GoWire):
    """The right to be the only one who changes a machine, until it expires."""

    nonce: str = ""
    #: Seconds since 1970, UTC.
    expires_at: int = 0
    owner: str = ""
    description: str = ""
    version: str = ""


class WaitResult(GoWire):
    """The answer to a wait that was fulfilled."""

    ok: bool = True
    state: str = ""
    version: str = ""
    event_id: str = ""


class ExecResult(GoWire):
    """What a command run inside a machine printed, and how it ended."""

    exit_code: int = 0
    exit_signal: int = 0
    stdout: str = ""
    stderr: str = ""


class StartResult(GoWire):
    """The answer to a start."""

    previous_state: str = ""
    migrated: bool = False
    new_host: str = ""


class LogEntry(Wire):
    """One line of an app's log stream."""

    #: RFC 3339 in UTC, with microseconds.
    timestamp: str
    #: `app` (what the machine printed), `runner` (what the platform did), `health` (what its
    #: checks found), or `proxy`.
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
    #: Nothing was there after these lines. The embedded platform says so, Fly.io never does.
    at_end: bool = False
