"""Regions, and how many machines would find room in them, as they travel."""

from __future__ import annotations

from pydantic import Field

from ephemera.wire.golang import GoWire


class Region(GoWire):
    """A place where machines can run."""

    #: What `region` is in all other calls.
    code: str = ""
    name: str = ""
    latitude: float = 0.0
    longitude: float = 0.0
    #: The part of the world, such as `europe`.
    geo_region: str = ""
    gateway_available: bool = False
    requires_paid_plan: bool = False
    #: No new machines should go there.
    deprecated: bool = False
    #: Whether managed Postgres is there.
    mpg_available: bool = False


class Regions(GoWire):
    """The answer to asking which regions there are."""

    regions: list[Region] = Field(default_factory=list)
    #: The code of the region that is nearest to the caller.
    nearest: str = ""


class RegionPlacement(GoWire):
    """How many machines a region would take."""

    region: str = ""
    count: int = 0
    #: How many of them at the same time.
    concurrency: int = 0


class Placements(GoWire):
    """The answer to a simulated placement: regions in order of preference."""

    regions: list[RegionPlacement] = Field(default_factory=list)
