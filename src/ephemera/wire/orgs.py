"""What an organisation has, over all of its apps: one page of a list at a time."""

from __future__ import annotations

from pydantic import Field

from ephemera.wire.config import Guest
from ephemera.wire.golang import GoWire
from ephemera.wire.volumes import Volume


class MachineOverview(GoWire):
    """The part of a machine's config that is in the list of an organisation's machines."""

    image: str = ""
    guest: Guest | None = None
    metadata: dict[str, str] = Field(default_factory=dict)


class OrgMachine(GoWire):
    """A machine in the list of an organisation's machines."""

    id: str = ""
    app_name: str = ""
    name: str = ""
    state: str = ""
    region: str = ""
    #: Changes with every update; `instance_id` elsewhere.
    version: str = ""
    private_ip: str = ""
    created_at: str = ""
    updated_at: str = ""
    #: Absent in a summary.
    config: MachineOverview | None = None


class OrgMachinesPage(GoWire):
    """Some of an organisation's machines."""

    machines: list[OrgMachine] = Field(default_factory=list)
    #: For the page after this one; empty where there is none.
    next_cursor: str = ""
    last_machine_id: str = ""
    #: To ask later for what has changed since.
    last_updated_at: str = ""
    #: Regions that did not answer: their machines are missing from the page.
    error_regions: list[str] = Field(default_factory=list)


class OrgVolume(Volume):
    """A volume in the list of an organisation's volumes."""

    app_name: str = ""
    updated_at: str = ""


class OrgVolumesPage(GoWire):
    """Some of an organisation's volumes."""

    volumes: list[OrgVolume] = Field(default_factory=list)
    next_cursor: str = ""
    last_volume_id: str = ""
    last_updated_at: str = ""
