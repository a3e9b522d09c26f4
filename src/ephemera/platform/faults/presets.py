"""The errors of Fly.io that an application should survive, ready to be asked for by name.

Source: the table of observed errors of the Machines API.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_MACHINES = "/v1/apps/{app_name}/machines"
_VOLUMES = "/v1/apps/{app_name}/volumes"


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered instead of what would have been."""

    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Preset:
    """An error, and the requests it is about where nobody says otherwise: POSTs to a path."""

    answer: Answer
    method: str | None = None
    path: str | None = None


def _machine(status: int, error: str, code: str = "") -> Preset:
    return Preset(_answer(status, error, code), "POST", _MACHINES)


def _any(status: int, error: str, **headers: str) -> Preset:
    return Preset(Answer(status, {"error": error}, headers))


def _answer(status: int, error: str, code: str = "") -> Answer:
    return Answer(status, {"error": error, "status": code} if code else {"error": error})


_NO_ROOM = "aborted: could not reserve resource for machine: insufficient {} available to fulfill "

PRESETS: Mapping[str, Preset] = {
    "no_host": _machine(422, "could not find a candidate host", "insufficient_capacity"),
    "host_full": _machine(409, _NO_ROOM.format("memory") + "request on the current host"),
    "host_cpus_full": _machine(409, _NO_ROOM.format("CPUs") + "request on the current host"),
    "no_ips": _machine(409, "aborted: insufficient IPs available"),
    "no_capacity": _machine(409, "aborted: no capacity"),
    "volume_host_full": _machine(
        412,
        "insufficient resources to create new machine with existing volume id 'vol_full'",
        "volume_placement_capacity",
    ),
    "quota": _machine(
        403,
        'organization "personal" is using 20480 MB of memory in dfw which is over the allowed'
        " quota. please consider other regions",
    ),
    "payment_needed": _machine(
        422, "To create more than 1 machine per app please add a payment method"
    ),
    "volume_no_room": Preset(_answer(400, "no capacity"), "POST", _VOLUMES),
    "rate_limited": _any(429, "resource_exhausted: rate limit exceeded", **{"retry-after": "1"}),
    "server_error": _any(500, "internal server error"),
    "bad_gateway": _any(502, "bad gateway"),
    "unavailable": _any(503, "service unavailable"),
}


def names() -> str:
    """Return the names of all presets, to be read."""
    return ", ".join(PRESETS)
