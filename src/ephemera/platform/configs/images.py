"""The image of a machine: whether a reference is one, and taking it apart."""

from __future__ import annotations

import re
from typing import Any

from ephemera.platform import refusals
from ephemera.platform.configs.fields import wrong
from ephemera.platform.drivers.base import Capabilities
from ephemera.wire.models import ImageRef

#: Longer than any registry takes, and short enough to be matched at once.
_REFERENCE_CHARS_MAX = 1024
_PIECE = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
#: Source: the grammar of references in the OCI's distribution of images.
_REFERENCE = re.compile(
    rf"(?:[A-Za-z0-9][A-Za-z0-9.-]*(?::\d{{1,5}})?/)?{_PIECE}(?:/{_PIECE})*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[0-9a-fA-F]{32,})?"
)


def check(image: str | None, can: Capabilities, driver: str) -> None:
    """Check that an image is named, and that the driver can run it."""
    if not image:
        raise refusals.invalid("config.image is required")
    if len(image) > _REFERENCE_CHARS_MAX or not _REFERENCE.fullmatch(image):
        raise wrong("config.image", image, "is not an image such as 'registry/name:tag'")
    if can.images is not None and image not in can.images:
        raise refusals.unsupported(
            f"config.image: the '{driver}' driver cannot run image '{image}', "
            f"only {', '.join(sorted(can.images))}"
        )


def image_ref(image: str) -> dict[str, Any]:
    """Take an image reference apart as the Machine object shows it."""
    rest, _, digest = image.partition("@")
    head, slash, tail = rest.partition("/")
    has_registry = bool(slash) and ("." in head or ":" in head or head == "localhost")
    path = tail if has_registry else rest
    repository, colon, tag = path.rpartition(":")
    return ImageRef(
        registry=head if has_registry else "",
        repository=repository if colon else path,
        tag=tag if colon else "",
        digest=digest,
    ).model_dump(exclude_none=True)
