"""An app as `ephemera status` shows it: where it is reached, what it runs, on which machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ephemera.cli.screen import say, say_record, say_table

if TYPE_CHECKING:
    from ephemera.client import Client
    from ephemera.wire.models import Machine

_GROUP, _RELEASE, _JOB = "fly_process_group", "fly_release_version", "ephemera_job"
#: Groups of machines that are there for one command, such as that before a release.
_PASSING_GROUPS = "fly_app_"


@dataclass(frozen=True, slots=True)
class Overview:
    """An app at one moment."""

    name: str
    urls: Sequence[str]
    machines: Sequence[Machine]

    def release(self) -> int | None:
        """Return the version of the newest release that a machine is of; None before the first."""
        return max((_release(one) or 0 for one in self._serving()), default=0) or None

    def images(self) -> list[str]:
        """Return the images of the newest release's machines; mostly it is one."""
        newest = [one for one in self._serving() if _release(one) == self.release()]
        return sorted({one.config.image for one in newest if one.config and one.config.image})

    def _serving(self) -> list[Machine]:
        return [one for one in self.machines if _metadata(one).get(_GROUP) and not _role(one)]

    def as_json(self) -> dict[str, Any]:
        """Return it for programs to read."""
        return {
            "name": self.name,
            "urls": list(self.urls),
            "release": self.release(),
            "images": self.images(),
            "machines": [_facts(one) for one in self.machines],
        }

    def show(self) -> None:
        """Write it for people."""
        release = self.release()
        say_record(
            {
                "app": self.name,
                "url": " ".join(self.urls),
                "release": f"v{release}" if release else "",
                "image": " ".join(self.images()),
            }
        )
        if self.machines:
            say("")
            titles = ("MACHINE", "GROUP", "VERSION", "REGION", "STATE", "CHECKS", "ROLE", "UPDATED")
            say_table(titles, [_row(one) for one in self.machines])


def overview(client: Client, app: str) -> Overview:
    """Return how an app is.

    Raises:
        NotFound: there is no such app.
    """
    from ephemera.cli.urls import urls

    machines = client.machines.list(app)
    in_order = sorted(machines, key=lambda one: (_metadata(one).get(_GROUP, "~"), one.created_at))
    return Overview(app, urls(client, app, machines), in_order)


def _facts(machine: Machine) -> dict[str, Any]:
    return {
        "id": machine.id,
        "name": machine.name,
        "process_group": _metadata(machine).get(_GROUP),
        "release": _release(machine),
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
    release = _release(machine)
    cordoned = ["cordoned"] if machine.cordoned else []
    return (
        machine.id,
        _metadata(machine).get(_GROUP, ""),
        f"v{release}" if release else "",
        machine.region,
        machine.state,
        _checks(machine),
        ", ".join([*filter(None, [_role(machine)]), *cordoned]),
        machine.updated_at,
    )


def _checks(machine: Machine) -> str:
    checks = machine.checks or ()
    passing = sum(one.status == "passing" for one in checks)
    return f"{passing} of {len(checks)} pass" if checks else ""


def _role(machine: Machine) -> str:
    """Return what a machine is for, where it is not for a process group of the app."""
    metadata = _metadata(machine)
    if _JOB in metadata:
        return "job"
    if metadata.get(_GROUP, "").startswith(_PASSING_GROUPS):
        return "command"
    return "standby" if machine.config and machine.config.standbys else ""


def _release(machine: Machine) -> int | None:
    version = _metadata(machine).get(_RELEASE, "")
    return int(version) if version.isdecimal() else None


def _metadata(machine: Machine) -> dict[str, str]:
    return (machine.config and machine.config.metadata) or {}
