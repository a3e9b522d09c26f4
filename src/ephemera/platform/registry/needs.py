"""Which images a machine needs: its own, and those of the releases that may come back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress

from ephemera.platform.records import MachineRecord

#: Metadata in which deploys write down their releases: JSON, objects with an `image`.
_RELEASES = "ephemera_releases"


def images(machine: MachineRecord) -> Iterator[str]:
    """Yield the images that a machine, or a release in its metadata, names."""
    yield machine.config["image"]
    written = (machine.config.get("metadata") or {}).get(_RELEASES, "")
    with suppress(ValueError, TypeError, AttributeError):  # anybody may have written it
        for release in json.loads(written):
            yield str(release.get("image", ""))
