"""Regions: which there are, where they are, and which one a request means.

An expression names regions in order of preference, with commas: codes, and words for parts of
the world (`iad,dfw`, `lhr,eu`, `any`). Source of the words and of the codes: Fly's documentation
of regions; of their places: where the airports are that they are named for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from ephemera.platform import refusals
from ephemera.platform.settings import DEFAULT_REGION

_EXPRESSION = re.compile(r"[a-z0-9]{1,32}(,[a-z0-9]{1,32}){0,63}")


class Place(NamedTuple):
    """Where a region is."""

    name: str
    latitude: float
    longitude: float
    #: The API's word for the part of the world.
    geo_region: str


_AFRICA, _ASIA_PACIFIC, _EUROPE = "africa", "asia_pacific", "europe"
_NORTH_AMERICA, _SOUTH_AMERICA = "north_america", "south_america"

PLACES = {
    "ams": Place("Amsterdam, Netherlands", 52.31, 4.76, _EUROPE),
    "arn": Place("Stockholm, Sweden", 59.65, 17.92, _EUROPE),
    "bom": Place("Mumbai, India", 19.09, 72.87, _ASIA_PACIFIC),
    "cdg": Place("Paris, France", 49.01, 2.55, _EUROPE),
    "dfw": Place("Dallas, Texas (US)", 32.9, -97.04, _NORTH_AMERICA),
    "ewr": Place("Secaucus, NJ (US)", 40.79, -74.06, _NORTH_AMERICA),
    "fra": Place("Frankfurt, Germany", 50.03, 8.57, _EUROPE),
    "gru": Place("Sao Paulo, Brazil", -23.43, -46.47, _SOUTH_AMERICA),
    "iad": Place("Ashburn, Virginia (US)", 38.94, -77.46, _NORTH_AMERICA),
    "jnb": Place("Johannesburg, South Africa", -26.13, 28.24, _AFRICA),
    "lax": Place("Los Angeles, California (US)", 33.94, -118.41, _NORTH_AMERICA),
    "lhr": Place("London, United Kingdom", 51.47, -0.45, _EUROPE),
    "nrt": Place("Tokyo, Japan", 35.76, 140.39, _ASIA_PACIFIC),
    "ord": Place("Chicago, Illinois (US)", 41.98, -87.9, _NORTH_AMERICA),
    "sin": Place("Singapore, Singapore", 1.36, 103.99, _ASIA_PACIFIC),
    "sjc": Place("San Jose, California (US)", 37.36, -121.93, _NORTH_AMERICA),
    "syd": Place("Sydney, Australia", -33.95, 151.18, _ASIA_PACIFIC),
    "yyz": Place("Toronto, Canada", 43.68, -79.63, _NORTH_AMERICA),
}

_US = frozenset({"dfw", "ewr", "iad", "lax", "ord", "sjc"})


def _in(geo_region: str) -> frozenset[str]:
    return frozenset(code for code, place in PLACES.items() if place.geo_region == geo_region)


#: The words for parts of the world, with the regions that are there. `any` is all of them, and
#: those of which we do not know where they are.
_ALIASES = {
    "apac": _in(_ASIA_PACIFIC),
    "eu": _in(_EUROPE),
    "na": _in(_NORTH_AMERICA),
    "sa": _in(_SOUTH_AMERICA),
    "us": _US,
    "usa": _US,
}
_ANY = "any"


def choose(expression: str, available: Sequence[str]) -> str:
    """Return the region that a machine or a volume goes to: the first that is meant and is there.

    Args:
        expression: Empty for the platform's first region.
        available: The codes of the platform's regions, in its own order.

    Raises:
        Refusal: not an expression, or the platform has none of its regions.
    """
    return matching(expression, available)[0]


def matching(expression: str, available: Sequence[str]) -> list[str]:
    """Return the regions that an expression means and that there are, in its order.

    A platform that has only the region `local` takes every expression to mean that one, so that
    code written for Fly.io runs on it unchanged.

    Raises:
        Refusal: not an expression, or there is none of its regions.
    """
    if not expression:
        return list(available)
    if not _EXPRESSION.fullmatch(expression):
        raise refusals.invalid(f"region {expression[:80]!r} is not a region code")
    if tuple(available) == (DEFAULT_REGION,):
        return [DEFAULT_REGION]
    meant = (code for part in expression.split(",") for code in _meant(part, available))
    found = list(dict.fromkeys(meant))
    if not found:
        raise refusals.invalid(
            f"region {expression[:80]!r} is not one of this platform's: {', '.join(available)}"
        )
    return found


def _meant(part: str, available: Sequence[str]) -> list[str]:
    if part == _ANY:
        return list(available)
    codes = _ALIASES.get(part, frozenset((part,)))
    return [code for code in available if code in codes]
