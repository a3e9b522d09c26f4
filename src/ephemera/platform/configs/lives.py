"""What becomes of a machine over time: restarts, schedules, standing by for others."""

from __future__ import annotations

import re

from ephemera.platform import refusals
from ephemera.platform.configs.fields import at_most, one_of, whole, wrong
from ephemera.wire.config import MachineConfig

SCHEDULES = ("hourly", "daily", "weekly", "monthly")
#: Each is looked up when the config is checked and at each end of a machine.
STANDBYS_MAX = 16

_MACHINE_ID = re.compile(r"[0-9a-f]{14,15}")


def check(config: MachineConfig) -> None:
    """Check what is said about the machine's life; that others exist is for `standbys.py`."""
    if config.restart:
        whole("config.restart.max_retries", config.restart.max_retries, 0)
    one_of("config.schedule", config.schedule, SCHEDULES)
    at_most("config.standbys", config.standbys, STANDBYS_MAX)
    for number, machine_id in enumerate(config.standbys or ()):
        if not _MACHINE_ID.fullmatch(machine_id):
            raise wrong(f"config.standbys[{number}]", machine_id, "is not the id of a machine")
    if config.standbys and config.services:
        raise refusals.invalid("config.standbys: a standby has no services")
