"""Where images are pulled from: registries of the world, and the platform's own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from ephemera.oci.manifests import Descriptor, Document
from ephemera.oci.reference import Reference


class Source(Protocol):
    """One repository, as far as pulling goes. All raise `ImageUnavailable` or `RegistryAway`."""

    async def digest_of(self, tag: str) -> str:
        """Return the digest that a tag means now; empty where nobody says."""
        ...

    async def document(self, asked: str) -> Document:
        """Return a manifest or an index by a tag or a digest."""
        ...

    async def config(self, wanted: Descriptor) -> bytes:
        """Return the config of an image; its digest is verified."""
        ...

    def blob(self, wanted: Descriptor) -> AsyncIterator[bytes]:
        """Yield a layer in pieces: exactly as many bytes as the manifest says."""
        ...


class OwnRegistry(Protocol):
    """The platform's own registry, which is on this computer and always answers."""

    def owns(self, host: str) -> bool:
        """Whether the host of a reference is this platform."""
        ...

    def settled(self, reference: Reference) -> Reference:
        """Return a reference under the one name of the registry that stays, if it is of it."""
        ...

    def repository(self, reference: Reference) -> Source:
        """Return where an image of it is read from."""
        ...
