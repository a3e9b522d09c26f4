"""What machines are labelled with, so that everybody knows which release they are of.

Labels are the API's metadata: writing them makes no new version of a machine. Those that begin
with `fly_` are the ones of Fly's own client, which is thus not surprised by our machines.
"""

from __future__ import annotations

from collections.abc import Sequence

from ephemera.wire.models import Machine, MachineConfig

#: The process group of a machine. One that has none is no machine of a release, but of a job.
GROUP = "fly_process_group"
#: `v2` on a machine of a release, for Fly's own client.
PLATFORM = "fly_platform_version"
RELEASE_ID = "fly_release_id"
RELEASE_VERSION = "fly_release_version"
#: The last releases, see `history`.
RELEASES = "ephemera_releases"
#: The group of the machine that has them where the app has no other, see `archive`.
ARCHIVE_GROUP = "fly_app_releases"
#: The port of this computer that the machine alone listens on, see `ports`.
PORT = "ephemera_port"
#: What is under way with a machine while a release is made; nothing is, where it is not there.
HALF_DONE = "ephemera_half_done"
#: Its values: made for the new release; given the config of the new one; to go with the old one;
#: one more of those that are there, without a new release.
CREATED, CHANGED, LEAVING, ADDED = "created", "changed", "leaving", "added"

#: What a program says of itself while it runs, see `jobs/busyness.py`.
_BUSY = "ephemera_busy"
#: True of a program that runs, or of one machine, and not of the next one.
_OF_A_BOOT = frozenset({_BUSY, "ephemera_create_id"})
_OURS = frozenset({GROUP, PLATFORM, RELEASE_ID, RELEASE_VERSION, RELEASES, PORT, HALF_DONE})
#: Groups of machines that are there for a moment only, such as that of the release command.
_RESERVED = "fly_app_"
_GONE = frozenset({"destroying", "destroyed"})


def of(machine: Machine) -> dict[str, str]:
    """Return all labels of a machine."""
    config = machine.config or machine.incomplete_config
    return dict(config.metadata or {}) if config else {}


def group(machine: Machine) -> str:
    """Return the process group of a machine; empty for one that is of none."""
    return of(machine).get(GROUP, "")


def there(machines: Sequence[Machine]) -> list[Machine]:
    """Return the machines that are not gone or going."""
    return [machine for machine in machines if machine.state not in _GONE]


def managed(machines: Sequence[Machine]) -> list[Machine]:
    """Return the machines that releases are made of, without those that are gone or going.

    Machines of jobs, and those of release commands and consoles, are never among them.
    """
    return [
        machine
        for machine in there(machines)
        if group(machine) and not group(machine).startswith(_RESERVED)
    ]


def foreign(machine: Machine) -> dict[str, str]:
    """Return the labels that somebody else has put on a machine, and that are to stay."""
    return {key: value for key, value in of(machine).items() if key not in _OURS | _OF_A_BOOT}


def of_another_boot(config: MachineConfig) -> MachineConfig:
    """Return a config as it is to be when its program has not said anything of itself yet."""
    said = {key: value for key, value in (config.metadata or {}).items() if key != _BUSY}
    return config.model_copy(update={"metadata": said})


def version(machine: Machine) -> int:
    """Return the version of the release that a machine is of; 0 where nothing says so."""
    said = of(machine).get(RELEASE_VERSION, "")
    return int(said) if said.isascii() and said.isdigit() else 0
