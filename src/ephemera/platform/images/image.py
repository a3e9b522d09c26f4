"""What an image is to those who run machines from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ephemera.oci.imageconfig import ImageConfig

#: Called for each line there is to say about an image that is being prepared: (level, message).
Say = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Image:
    """An image that is on this computer, whole."""

    #: As it was asked for.
    reference: str
    #: Of the manifest for this computer's architecture, `sha256:...`: the same image for ever.
    digest: str
    #: Names of folders below `layers/`, lowest first, none twice.
    layers: tuple[str, ...]
    config: ImageConfig


@dataclass(frozen=True, slots=True)
class StoredImage:
    """An image, and what it costs to keep it."""

    image: Image
    #: Of its layers as they are on the disk, also those that other images share; bytes.
    size_bytes: int
    #: When it was pulled, and when the registry last said that the reference means it; seconds
    #: since 1970.
    pulled_at: float
    checked_at: float


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was removed because nothing needs it."""

    images: tuple[Image, ...]
    layers: int
    freed_bytes: int
