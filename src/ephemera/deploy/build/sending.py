"""Sends an image to its registry: each layer once, and none that the registry has somewhere.

Which repositories layers of base images went to is kept, so that the next app of the same base has
them from there.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ephemera.deploy.build import whole
from ephemera.deploy.build.base import Base, architecture_of, resolve
from ephemera.deploy.build.document import Document
from ephemera.deploy.build.layers import Layer
from ephemera.deploy.build.pushing import Content, Pushing
from ephemera.deploy.build.request import BuildRequest, Tell, shown_size
from ephemera.errors import BuildError, ImageUnavailable
from ephemera.oci import manifests
from ephemera.oci import reference as references
from ephemera.oci.credentials import Credentials
from ephemera.oci.manifests import Descriptor
from ephemera.oci.patience import Patience, RegistryAway
from ephemera.oci.registries import Registries
from ephemera.oci.registry import Repository

#: A line is seldom faster with more.
_AT_ONCE = 4
#: Of a layer's file.
_PIECE_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class Image:
    """An image that is ready to be sent.

    Attributes:
        base: What it is made on; its layers are at its registry.
        ours: The layers above, which are here.
    """

    base: Base
    ours: Sequence[Layer]
    config: Document
    manifest: Document


async def send(request: BuildRequest, image: Image, tell: Tell) -> None:
    """Have the registry of a request have an image whole, and under its tag then.

    Raises:
        BuildError: a registry says no, or does not answer.
    """
    registries, reference = Registries(Patience()), references.parse(request.pushed_as)
    try:
        way = await registries.way(reference, Credentials(*request.login), "pull,push")
        source = await registries.repository(image.base.reference)
        pushing = Pushing(way, reference)
        sending = _Sending(pushing, Places.of(request), source, tell)
        await sending.all(image)
        await pushing.manifest(image.manifest)
    except (RegistryAway, ImageUnavailable) as error:
        raise BuildError(getattr(error, "message", str(error)), hint=error.hint) from error
    finally:
        await registries.close()


async def pushed(request: BuildRequest) -> tuple[str, int]:
    """Return the digest of the image that a program has pushed, and the size of its layers.

    Raises:
        BuildError: the registry has not got it, or does not answer.
    """
    registries = Registries(Patience())
    reference, name = references.parse(request.pushed_as), request.pushed_as
    here = architecture_of(request.architecture)
    try:
        repository = await registries.repository(reference, login=Credentials(*request.login))
        found = await resolve(repository, reference, here)
        return found.digest, sum(one.size for one in manifests.parts(found.body, name).layers)
    except (RegistryAway, ImageUnavailable) as error:
        raise BuildError(getattr(error, "message", str(error)), hint=error.hint) from error
    finally:
        await registries.close()


@dataclass(frozen=True, slots=True)
class Places:
    """In which repositories of a registry layers are, as far as we sent them.

    Only a guess: a registry that has not got one says so, and is sent it.
    """

    path: Path
    repository: str

    @classmethod
    def of(cls, request: BuildRequest) -> Places:
        """Return those of a request's registry."""
        name = request.repository.partition("/")[0].replace(":", "_")
        return cls(request.cache_folder / "places" / f"{name}.json", request.app)

    def find(self, digest: str) -> str:
        """Return the repository that has a layer; empty where none is known, or it is ours."""
        found = self._read().get(digest, "")
        return "" if found == self.repository else found

    def add(self, digests: Sequence[str]) -> None:
        """Note that our repository has layers."""
        known = self._read()
        if all(digest in known for digest in digests):
            return
        now = {**known, **dict.fromkeys(digests, self.repository)}
        whole.write(self.path, json.dumps(now).encode())

    def _read(self) -> dict[str, str]:
        try:
            return dict(json.loads(self.path.read_text()))
        except (OSError, ValueError):
            return {}


@dataclass(frozen=True, slots=True)
class _Sending:
    pushing: Pushing
    places: Places
    source: Repository
    tell: Tell

    async def all(self, image: Image) -> None:
        """Send what the repository lacks, several things at a time."""
        turns = asyncio.Semaphore(_AT_ONCE)
        base = {one.digest: one for one in image.base.layers}
        ours = {one.digest: one for one in image.ours}

        async def one(digest: str, size: int, content: Content, mount_from: str = "") -> None:
            async with turns:
                if await self.pushing.has(digest):
                    return
                if await self.pushing.blob(digest, size, content, mount_from):
                    self.tell(f"pushed {digest[7:19]}: {shown_size(size)}")

        try:
            async with asyncio.TaskGroup() as group:
                for layer in base.values():
                    where = self.places.find(layer.digest)
                    content = _streamed(self.source, layer)
                    group.create_task(one(layer.digest, layer.size, content, where))
                for made in ours.values():
                    group.create_task(one(made.digest, made.size, _file(made.path)))
                config = image.config
                group.create_task(one(config.digest, len(config.body), _bytes(config.body)))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        self.places.add(list(base))


def _streamed(source: Repository, layer: Descriptor) -> Content:
    return lambda: source.blob(layer)


def _file(path: Path) -> Content:
    async def pieces() -> AsyncIterator[bytes]:
        with path.open("rb") as file:
            while piece := file.read(_PIECE_BYTES):
                yield piece

    return pieces


def _bytes(data: bytes) -> Content:
    async def pieces() -> AsyncIterator[bytes]:
        yield data

    return pieces
