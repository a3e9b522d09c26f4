"""What is known of one machine, gathered for somebody who wants to know why it failed."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from signal import Signals
from typing import Any

from ephemera.cli.screen import when
from ephemera.client import Client
from ephemera.client.own.machines import OwnMachines
from ephemera.wire.models import LogEntry, Machine, MachineConfig, MachineEvent
from ephemera.wire.own import Remains

#: Of the events the newest so many.
_EVENTS = 50
_AT_REST = ("stopped", "failed")


@dataclass(frozen=True, slots=True)
class Findings:
    """A machine, what happened to it, what it said last, and what is left of it."""

    app: str
    machine: Machine
    #: Oldest first.
    events: Sequence[MachineEvent]
    #: Oldest first.
    lines: Sequence[LogEntry]
    #: None on Fly.io.
    remains: Remains | None

    def summary(self) -> str:
        """Return in one sentence how it is with the machine."""
        return f"machine {self.machine.id} is {self.machine.state}: {self._cause()}"

    def _cause(self) -> str:
        ended = self.machine.last_exit()
        error, state = self._boot_error(), self.machine.state
        if state == "failed" or (state == "destroyed" and error and not ended):
            return f"it could not be started: {error or 'nobody says why'}"
        if ended is None:
            return "its program runs" if state == "started" else "it has not run"
        if ended.oom_killed:
            return f"its program ran out of memory{self._had_memory()}"
        asked = ", as it was asked to" if ended.requested_stop else ""
        if ended.signal > 0:
            why = f": {ended.error}" if ended.error else ""
            return f"{_signal(ended.signal)} ended its program{asked}{why}"
        if ended.exit_code < 0:
            return f"nobody saw how its program ended: {ended.error or 'nobody says why'}"
        return f"its program ended with exit code {ended.exit_code}{asked}"

    def record(self) -> dict[str, str]:
        """Return what it is and what it runs."""
        machine, config = self.machine, self.machine.config or MachineConfig()
        guest = config.guest
        return {
            "id": machine.id,
            "name": machine.name,
            "app": self.app,
            "region": machine.region,
            "image": config.image or "",
            "command": " ".join(_command(config)),
            "size": f"{guest.cpus} cpus, {guest.memory_mb} MB" if guest else "",
            "restart": (config.restart and config.restart.policy) or "",
            "variables": ", ".join(sorted(config.env or ())),
            "files": ", ".join(one.guest_path for one in config.files or ()),
            "metadata": ", ".join(f"{k}={v}" for k, v in sorted((config.metadata or {}).items())),
            "volumes": ", ".join(f"{one.volume} at {one.path}" for one in config.mounts or ()),
            "created": machine.created_at,
            "left": self._left(),
        }

    def timeline(self) -> list[tuple[str, str, str, str, str]]:
        """Return what happened to it: when, what, the state after it, by whom, and why."""
        return [
            (when(one.timestamp / 1000), one.type, one.status, one.source, _why(one))
            for one in self.events
        ]

    def next_steps(self) -> list[tuple[str, str]]:
        """Return what somebody may want to do, each with the command for it."""
        named, remains = self.machine.id, self.remains
        log = f"ephemera logs --no-tail --app {self.app} --machine {named}"
        steps: list[tuple[str, str]] = [("all of its log", log)]
        if remains and remains.terminal:
            steps.append(("a shell in it", f"ephemera machine shell {named}"))
        if remains and remains.look:
            steps.append(("a shell in a copy of it", f"ephemera machine shell {named}"))
        if remains and remains.export:
            steps.append(("its files", f"ephemera machine export {named} -o {named}.tar"))
        if self.machine.state in _AT_REST:
            steps.append(("no more of it", f"ephemera machine destroy {named}"))
        return steps

    def as_json(self) -> dict[str, Any]:
        """Return all of it for programs to read, without the values of its variables."""
        machine = self.machine.model_dump(mode="json", exclude_none=True)
        machine["config"] = _without_values(machine.get("config") or {})
        machine["events"] = [one.model_dump(mode="json", exclude_none=True) for one in self.events]
        ended = self.machine.last_exit()
        return {
            "app": self.app,
            "summary": self.summary(),
            "machine": machine,
            "exit": ended.model_dump(mode="json", exclude_none=True) if ended else None,
            "lines": [one.model_dump(mode="json") for one in self.lines],
            "remains": self.remains.model_dump(mode="json") if self.remains else None,
        }

    def _boot_error(self) -> str:
        newest_first = (one.request or {} for one in reversed(self.events))
        return next((str(one["error"]) for one in newest_first if one.get("error")), "")

    def _had_memory(self) -> str:
        guest = self.machine.config.guest if self.machine.config else None
        return f" of {guest.memory_mb} MB" if guest and guest.memory_mb else ""

    def _left(self) -> str:
        if self.remains is None or self.machine.state not in _AT_REST:
            return ""
        return "its file system" if self.remains.look else "no file system"


def gathered(app: str, machine: str, lines: int) -> Findings:
    """Return what is known of a machine.

    Args:
        lines: How many lines of its log, the last ones.

    Raises:
        NotFound: there is no such machine.
    """
    with Client() as client:
        found = client.machines.get(app, machine)
        events = client.machines.events(app, machine, limit=_EVENTS)
        last = deque(client.logs.follow(app, machine=machine, tail=False), maxlen=lines)
    with OwnMachines() as own:
        remains = None if own.fly else own.remains(app, machine)
    return Findings(app, found, list(reversed(events)), list(last), remains)


def _command(config: MachineConfig) -> Sequence[str]:
    """Return what it runs, as far as its config says; empty for the image's own command."""
    program = config.processes[0] if config.processes else config.init
    if program is None:
        return ()
    return program.exec or [*(program.entrypoint or ()), *(program.cmd or ())]


def _why(event: MachineEvent) -> str:
    request = event.request or {}
    if request.get("error"):
        return str(request["error"])
    ended = event.exit_event()
    if ended is None:
        return ""
    said = [f"exit code {ended.exit_code}"]
    said += [_signal(ended.signal)] if ended.signal > 0 else []
    said += ["out of memory"] if ended.oom_killed else []
    said += [ended.error] if ended.error else []
    return ", ".join(said)


def _signal(number: int) -> str:
    try:
        return Signals(number).name
    except ValueError:
        return f"signal {number}"


def _without_values(config: dict[str, Any]) -> dict[str, Any]:
    """Return a config with the names of its variables and files, and nothing of their contents."""
    shown = {name: value for name, value in config.items() if name not in ("env", "files")}
    if "env" in config:
        shown["env"] = sorted(config["env"])
    if "files" in config:
        shown["files"] = [one.get("guest_path") for one in config["files"]]
    if "processes" in config:
        shown["processes"] = [_without_values(one) for one in config["processes"]]
    return shown
