"""Placements: where as many machines as asked for would find room.

All regions of this platform are one computer, with one host in each of them. So what there is
room for is the memory of this computer, whatever the region; a volume needs room on the disk of
the state folder. That is what the answer says. It is a simulation, as on Fly.io: nothing is
kept free, and a machine is not refused for want of memory when it is created.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from ephemera.platform import refusals
from ephemera.platform.edge import regions
from ephemera.wire.config import Guest
from ephemera.wire.resource import Wire

#: The memory of a machine whose size is not given: that of `performance-1x`, as the document says.
_MEMORY_MB = 2048
#: A 64-bit signed integer, which is what Fly's server reads a size into.
_BYTES_MAX = 2**63 - 1
_COUNT_MAX = 1_000_000
_WEIGHT_MAX = 1_000_000
#: Each region has one host, and a host makes one machine ready at a time.
_CONCURRENCY = 1


class PlacementsRequest(Wire):
    """What is to be placed. A count of 0 asks how much room there is."""

    org_slug: str
    compute: Guest | None = None
    count: int | None = Field(default=None, ge=0, le=_COUNT_MAX)
    region: str | None = None
    volume_name: str | None = None
    volume_size_bytes: int | None = Field(default=None, ge=0, le=_BYTES_MAX)
    weights: dict[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Room:
    """What this computer has."""

    memory_mb: int
    disk_bytes: int

    @classmethod
    def of_this_computer(cls, home: Path) -> Room:
        """Return its whole memory, and what is free on the disk of the state folder."""
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return cls(memory // 1024**2, shutil.disk_usage(home).free)

    def machines(self, memory_mb: int, volume_bytes: int) -> int:
        """Return how many machines of a size there is room for, each with its volume."""
        in_memory = self.memory_mb // memory_mb
        return min(in_memory, self.disk_bytes // volume_bytes) if volume_bytes else in_memory


def place(wanted: PlacementsRequest, available: tuple[str, ...], room: Room) -> dict[str, Any]:
    """Return how many of the machines each region takes, in the order in which they are filled.

    A count that there is no room for is placed as far as there is; regions that take none are
    left out.

    Raises:
        Refusal: the request is wrong, or the platform has none of its regions.
    """
    _check(wanted)
    codes = regions.matching(wanted.region or "", available)
    memory_mb = (wanted.compute and wanted.compute.memory_mb) or _MEMORY_MB
    most = room.machines(memory_mb, wanted.volume_size_bytes or 0)
    if wanted.count:  # the same memory is behind all regions: the first takes what fits
        codes, most = codes[:1], min(wanted.count, most)
    rows = [{"region": code, "count": most, "concurrency": _CONCURRENCY} for code in codes]
    return {"regions": rows if most else []}


def _check(wanted: PlacementsRequest) -> None:
    if not wanted.org_slug:
        raise refusals.invalid("org_slug is required")
    if wanted.compute and (wanted.compute.memory_mb or 1) < 1:
        raise refusals.invalid(f"compute.memory_mb {wanted.compute.memory_mb} is less than 1")
    for name, weight in (wanted.weights or {}).items():
        if not 0 <= weight <= _WEIGHT_MAX:
            raise refusals.invalid(f"weights.{name[:40]} {weight} is not from 0 to {_WEIGHT_MAX}")
