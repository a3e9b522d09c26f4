"""Drivers that run machines from images: what they have beside the interface of all drivers."""

from __future__ import annotations

from typing import Protocol, cast

from ephemera.platform.images.images import Images


class KeepsImages(Protocol):
    """Such a driver."""

    images: Images

    def used_images(self) -> set[str]:
        """Return the digests of those that machines have."""
        ...

    def image_digest(self, machine_id: str, version: str, image: str) -> str:
        """Return which image a version of a machine has; empty before its first boot."""
        ...


def keeper(driver: object) -> KeepsImages | None:
    """Return a driver as one that keeps images; None where it has none."""
    if getattr(driver, "images", None) is None:
        return None
    return cast("KeepsImages", driver)
