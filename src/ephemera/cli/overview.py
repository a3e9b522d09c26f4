"""An app as `ephemera status` shows it: where it is reached, what it runs, on which machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ephemera.cli.resolving import note_how_to_reach
from ephemera.cli.screen import say, say_record, say_table
from ephemera.cli.urls import Reached, reached
from ephemera.client import Client
from ephemera.deploy.release import history, labels
from ephemera.deploy.release.history import Release
from ephemera.jobs.machine import JOB_KEY
from ephemera.wire.models import Machine
from ephemera.wire.own import AppPort

#: Process groups of machines that are there for one command, such as that before a release.
_OF_ONE_COMMAND = "fly_app_"


@dataclass(frozen=True, slots=True)
class Overview:
    """An app at one moment."""

    name: str
    reached: Reached
    #: Those of one process group together.
    machines: Sequence[Machine]

    def release(self) -> Release | None:
        """Return the newest release; None before the first."""
        return next(iter(history.read(self.machines)), None)

    def as_json(self) -> dict[str, Any]:
        """Return it for programs to read."""
        release = self.release()
        return {
            "name": self.name,
            "urls": list(self.reached.urls),
            "ports": [one.model_dump(mode="json") for one in self.reached.ports],
            "release": _released(release) if release else None,
            "machines": [_facts(one) for one in self.machines],
        }

    def show(self) -> None:
        """Write it for people."""
        release = self.release()
        said = f"v{release.version} of {release.created_at}, {release.status}" if release else ""
        say_record(
            {
                "app": self.name,
                "url": " ".join(self.reached.urls),
                "ports": ", ".join(map(_port, self.reached.ports)),
                "release": said,
                "image": self._images(),
            }
        )
        if self.machines:
            say("")
            titles = ("MACHINE", "GROUP", "VERSION", "REGION", "STATE", "CHECKS", "ROLE", "UPDATED")
            say_table(titles, [_row(one) for one in self.machines])
        if self.reached.urls:
            note_how_to_reach(self.reached.urls[0])

    def _images(self) -> str:
        """Return what its machines run, which is not that of the newest release if it failed."""
        configs = (one.config for one in labels.managed(self.machines))
        return ", ".join(sorted({one.image for one in configs if one and one.image}))


def overview(client: Client, app: str) -> Overview:
    """Return how an app is.

    Raises:
        NotFound: there is no such app.
    """
    machines = client.machines.list(app)
    in_order = sorted(machines, key=lambda one: (labels.group(one) or "~", one.created_at))
    return Overview(app, reached(client, app, machines), in_order)


def _port(one: AppPort) -> str:
    return f"{one.port} at {one.address or one.problem}"


def _released(release: Release) -> dict[str, Any]:
    return {name: value for name, value in asdict(release).items() if name != "place"}


def _facts(machine: Machine) -> dict[str, Any]:
    return {
        "id": machine.id,
        "name": machine.name,
        "process_group": labels.group(machine) or None,
        "release": labels.version(machine) or None,
        "region": machine.region,
        "state": machine.state,
        "checks": [one.model_dump(mode="json") for one in machine.checks or ()],
        "role": _role(machine) or None,
        "cordoned": bool(machine.cordoned),
        "image": machine.config.image if machine.config else None,
        "created_at": machine.created_at,
        "updated_at": machine.updated_at,
    }


def _row(machine: Machine) -> tuple[str, ...]:
    release = labels.version(machine)
    cordoned = "cordoned" if machine.cordoned else ""
    return (
        machine.id,
        labels.group(machine),
        f"v{release}" if release else "",
        machine.region,
        machine.state_for_people,
        _checks(machine),
        ", ".join(filter(None, (_role(machine), cordoned))),
        machine.updated_at,
    )


def _checks(machine: Machine) -> str:
    checks = (machine.checks or ()) if machine.state == "started" else ()
    passing = sum(one.status == "passing" for one in checks)
    return f"{passing} of {len(checks)} pass" if checks else ""


def _role(machine: Machine) -> str:
    """Return what a machine is for, where it is not simply one of its process group."""
    if JOB_KEY in labels.of(machine):
        return "job"
    if machine.config and machine.config.standbys:
        return "standby"
    if labels.group(machine) == labels.ARCHIVE_GROUP:
        return "history"
    return "command" if labels.group(machine).startswith(_OF_ONE_COMMAND) else ""
