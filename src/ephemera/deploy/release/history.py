"""The last releases of an app, written on each of its machines.

The Machines API has no other place for them: see `archive` for an app without machines. They are
read from all machines, since one that was away while a release was written knows less.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from ephemera.deploy.release import labels
from ephemera.deploy.release.image import Image, Place
from ephemera.wire.ids import new_ulid
from ephemera.wire.models import Machine

#: All labels of a machine are in every answer about it, so there is an end to them.
RELEASES_MAX = 10

Status = Literal["running", "succeeded", "failed", "interrupted"]


@dataclass(frozen=True, slots=True)
class Release:
    """One release: which image its machines run, and what became of it."""

    version: int
    image: str
    status: Status
    #: RFC 3339, UTC.
    created_at: str
    description: str = ""
    id: str = ""
    #: With the image `host`, which is the same for every release: where its files are.
    place: Place | None = None

    def image_of(self) -> Image:
        """Return its image, as it was built."""
        return Image(self.image, self.place)

    def stamp(self) -> dict[str, str]:
        """Return the labels of a machine of this release."""
        return {labels.RELEASE_ID: self.id, labels.RELEASE_VERSION: str(self.version)}


_RELEASES = TypeAdapter(list[Release])


def read(machines: Sequence[Machine]) -> list[Release]:
    """Return the releases that an app's machines know of, newest first.

    Args:
        machines: All of the app. Those that are gone are not asked: they know what was undone.
    """
    found: dict[int, Release] = {}
    for machine in labels.there(machines):
        for one in _written_on(machine):
            known = found.get(one.version)
            if known is None or known.status == "running":
                found[one.version] = one
    return [found[version] for version in sorted(found, reverse=True)]


def begun(
    before: Sequence[Release],
    machines: Sequence[Machine],
    image: Image,
    description: str,
) -> Release:
    """Return the release that comes after those before it."""
    last = max([*(one.version for one in before), *map(labels.version, machines)], default=0)
    return Release(
        version=last + 1,
        image=image.reference,
        status="running",
        created_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        description=description,
        id=new_ulid(),
        place=image.place,
    )


def ended(before: Sequence[Release], release: Release, status: Status) -> list[Release]:
    """Return the releases after one has ended, newest first.

    One before it that never ended was cut short: whoever made it is gone.
    """
    earlier = [
        replace(one, status="interrupted") if one.status == "running" else one
        for one in before
        if one.version != release.version
    ]
    return [replace(release, status=status), *earlier][:RELEASES_MAX]


def written(releases: Sequence[Release]) -> str:
    """Return releases as they are written on a machine."""
    return _RELEASES.dump_json(list(releases), exclude_defaults=True).decode()


def _written_on(machine: Machine) -> list[Release]:
    """Return the releases on a machine; none where somebody else wrote what is not readable."""
    try:
        return _RELEASES.validate_json(labels.of(machine).get(labels.RELEASES) or "[]")
    except ValidationError:
        return []
