"""Pulling images for tests: a home for them, and what was said meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from ephemera.oci.patience import Patience
from ephemera.platform.images import Image, Images

T = TypeVar("T")

#: Tries as often as usual, and waits for nothing.
QUICK = Patience(tries=3, first_pause_s=0.01, longest_pause_s=0.05)
TIMEOUT_S = 100.0


class Heard(list[str]):
    """What was said, one line after the other; can be called to say it."""

    def __call__(self, level: str, message: str) -> None:
        self.append(message if level == "info" else f"{level}: {message}")


class Pulls:
    """A folder of images, and the layers in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @asynccontextmanager
    async def opened(self, patience: Patience = QUICK) -> AsyncIterator[Images]:
        """Open the images, as a server does when it starts."""
        images = Images(self.folder, patience)
        await images.open()
        try:
            yield images
        finally:
            await images.close()

    def run(self, scene: Callable[[Images], Awaitable[T]]) -> T:
        """Run a scene with the images open, and return what it returns."""

        async def whole() -> T:
            async with asyncio.timeout(TIMEOUT_S), self.opened() as images:
                return await scene(images)

        return asyncio.run(whole())

    def prepare(self, reference: str, *, digest: str = "") -> tuple[Image, Heard]:
        """Have an image in a server of its own, and return it with what was said."""
        heard = Heard()
        image = self.run(lambda images: images.prepare(reference, heard, digest=digest))
        return image, heard

    def layers(self, image: Image) -> list[Path]:
        """Return the folders of an image's layers, lowest first."""
        return [self.folder / "layers" / name for name in image.layers]

    def left(self) -> list[str]:
        """Return what there is of layers, records and unfinished things."""
        return sorted(
            f"{folder}/{path.name}"
            for folder in ("layers", "manifests", "unfinished")
            for path in (self.folder / folder).iterdir()
        )
