"""The platform as a whole: which regions there are, and where there is room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ephemera.client.call import Call, encode, reader
from ephemera.client.given import commas
from ephemera.client.messages import Answer
from ephemera.wire.models import Guest
from ephemera.wire.places import Placements, RegionPlacement, Regions


def regions() -> Call[Regions]:
    """Return the regions there are, and which of them is nearest."""
    return Call(
        doing="listing the regions",
        method="GET",
        path="/v1/platform/regions",
        read=reader(Regions),
        repeatable=True,
    )


def placements(
    *,
    org_slug: str = "personal",
    region: str | Sequence[str] | None = None,
    compute: Guest | Mapping[str, Any] | None = None,
    count: int | None = None,
    volume_name: str | None = None,
    volume_size_bytes: int | None = None,
    weights: Mapping[str, int] | None = None,
) -> Call[list[RegionPlacement]]:
    """Return where machines would be put if they were created now. Nothing is made.

    Args:
        region: In order of preference: regions, or names for several of them, such as `"eu"`.
            The default is the nearest region, then any.
        compute: The guest of the machines; the default is one cpu of the performance kind.
        count: How many machines; 0, the default, for as many as the organisation may have.
        volume_name: They would mount volumes of this name.
        volume_size_bytes: Of this size.
        weights: How much preferences count: `region` (50) and `spread` (1), by default.
    """

    def read(answer: Answer) -> list[RegionPlacement]:
        return Placements.model_validate_json(answer.body).regions

    doing = "asking where there is room"
    body = {
        "org_slug": org_slug,
        "region": commas("a region", region),
        "compute": compute,
        "count": count,
        "volume_name": volume_name,
        "volume_size_bytes": volume_size_bytes,
        "weights": weights,
    }
    return Call(
        doing=doing,
        method="POST",
        path="/v1/platform/placements",
        body=encode(doing, body),
        read=read,
        repeatable=True,
    )
