"""How regions and addresses look on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ephemera.platform.edge.addresses import SHARED_TYPES
from ephemera.platform.edge.records import AddressRecord
from ephemera.platform.edge.regions import PLACES
from ephemera.platform.logs import timestamp
from ephemera.platform.settings import DEFAULT_REGION

#: The name of the only region of a platform that is told of none.
_HERE = "This computer"


def region(code: str) -> dict[str, Any]:
    """Return a region; where it is, if that is known."""
    shown: dict[str, Any] = {
        "code": code,
        "name": _HERE if code == DEFAULT_REGION else code,
        "gateway_available": False,
        "requires_paid_plan": False,
        "deprecated": False,
        "mpg_available": False,
    }
    place = PLACES.get(code)
    return shown | place._asdict() if place else shown


def regions(codes: Sequence[str]) -> dict[str, Any]:
    """Return the platform's regions; the first is nearest, as all of them are here."""
    return {"regions": [region(code) for code in codes], "nearest": codes[0]}


def address(record: AddressRecord) -> dict[str, Any]:
    """Return an address of an app."""
    return {
        "ip": record.ip,
        "region": record.region,
        "service_name": record.service_name,
        "shared": record.type in SHARED_TYPES,
        "egress": False,
        "created_at": timestamp(record.created_at),
    }
