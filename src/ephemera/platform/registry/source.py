"""The platform's own registry as its images are pulled from it: read from the disk, not asked."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator

from ephemera.errors import ImageUnavailable
from ephemera.oci.manifests import Descriptor, Document
from ephemera.oci.reference import Reference
from ephemera.platform.registry.holdings import Holdings

#: Of a layer, read by a thread at a time.
_READ_BYTES = 1024 * 1024


class OwnRepository:
    """One repository, for one image of it.

    Args:
        holdings: Of the app; None where there is no such app.
    """

    def __init__(self, reference: Reference, holdings: Holdings | None) -> None:
        self._reference = reference
        self._holdings = holdings

    async def digest_of(self, tag: str) -> str:
        """Return the digest that a tag means now; a digest means itself.

        Raises:
            ImageUnavailable: there is no such tag, or no such app.
        """
        return (await self.document(tag)).digest

    async def document(self, asked: str) -> Document:
        """Return a manifest or an index by a tag or a digest.

        Raises:
            ImageUnavailable: there is none.
        """
        if self._holdings is None:
            raise self._missing()
        by_tag = ":" not in asked
        digest = self._holdings.tagged(self._reference.repository, asked) if by_tag else asked
        body = self._holdings.manifest(digest) if digest else None
        if body is None:
            raise self._missing()
        return Document(digest, body)

    async def config(self, wanted: Descriptor) -> bytes:
        """Return the config of an image.

        Raises:
            ImageUnavailable: it is not here any more, or not what it was.
        """
        body = b"".join([piece async for piece in self.blob(wanted)])
        if f"sha256:{hashlib.sha256(body).hexdigest()}" != wanted.digest:
            raise self._broken(wanted)
        return body

    async def blob(self, wanted: Descriptor) -> AsyncIterator[bytes]:
        """Yield a layer in pieces.

        Raises:
            ImageUnavailable: it is not here any more, or not what it was.
        """
        path = self._holdings.blob(wanted.digest) if self._holdings else None
        if path is None or path.stat().st_size != wanted.size:
            raise self._broken(wanted)
        with path.open("rb") as file:
            while piece := await asyncio.to_thread(file.read, _READ_BYTES):
                yield piece

    def _missing(self) -> ImageUnavailable:
        return ImageUnavailable(
            f"there is no image {self._reference} on this platform",
            hint="look at its name and its tag, or push it: `ephemera deploy` does",
        )

    def _broken(self, wanted: Descriptor) -> ImageUnavailable:
        return ImageUnavailable(
            f"image {self._reference} is broken: {wanted.digest} is not whole, or not here",
            hint="push it again",
        )
