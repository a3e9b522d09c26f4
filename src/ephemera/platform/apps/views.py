"""How apps look on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ephemera.platform.edge import networks
from ephemera.platform.records import AppRecord
from ephemera.platform.states import SETTLED, State

_AT_REST = SETTLED - {State.STARTED}


def app(record: AppRecord, states: Sequence[State], volume_count: int) -> dict[str, Any]:
    """Return an app.

    Args:
        states: Those of its machines, destroyed ones left out.
        volume_count: How many volumes it has.
    """
    return {
        "id": record.id,
        "internal_numeric_id": networks.numeric_id(record.id),
        "name": record.name,
        "status": status(states),
        "machine_count": len(states),
        "volume_count": volume_count,
        "network": record.network or networks.DEFAULT_NETWORK,
        "network_cidr": str(networks.of_app(record)),
        "organization": {
            "name": record.org_slug,
            "slug": record.org_slug,
            "internal_numeric_id": networks.numeric_id(record.org_slug),
        },
    }


def status(states: Sequence[State]) -> str:
    """Return `pending` for no machines, `suspended` where all are at rest, else `deployed`."""
    if not states:
        return "pending"
    return "suspended" if all(state in _AT_REST for state in states) else "deployed"
