"""What the owners of all machines share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ephemera.platform.clock import Clock
from ephemera.platform.drivers.base import BootSpec, Driver
from ephemera.platform.logs import Logs
from ephemera.platform.machines.ledger import Hold, Observer
from ephemera.platform.records import MachineRecord
from ephemera.platform.store import Store


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The platform, as an owner sees it."""

    store: Store
    driver: Driver
    logs: Logs
    clock: Clock
    #: Says what a boot of a machine is made of, from its record.
    boot_spec: Callable[[MachineRecord], BootSpec]
    #: Told when a machine is destroyed.
    forget: Callable[[MachineRecord], None]
    #: Told of each write of any machine.
    moved: Observer
    #: Returns what the checks of a machine found, as the API shows it.
    check_results: Callable[[MachineRecord], list[dict[str, Any]]]
    #: Refuses where the disk is nearly full.
    need_room: Callable[[], None]
    #: Lets a test have a machine stuck.
    hold: Hold | None = None
