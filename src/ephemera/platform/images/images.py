"""The images of one platform: had when they are needed, kept, and thrown away when asked to.

What a tag means may change, so the registry is asked again when its last answer is older than a
minute. Where it does not answer, an image that is here is used all the same. The platform's own
registry is asked each time.
"""

from __future__ import annotations

import asyncio
import errno
import time
from collections.abc import Coroutine, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ephemera.errors import ImageUnavailable
from ephemera.oci import reference as references
from ephemera.oci.patience import Patience, RegistryAway
from ephemera.oci.reference import Reference
from ephemera.platform.images.image import Image, Pruned, Say, StoredImage
from ephemera.platform.images.progress import duration
from ephemera.platform.images.pull import LayerLocks, Pull
from ephemera.platform.images.records import Meaning, Record, Records
from ephemera.platform.images.removal import flush, remove
from ephemera.platform.images.shared import Shared
from ephemera.platform.images.sources import OwnRegistry, Source
from ephemera.platform.images.unpacking import no_room

if TYPE_CHECKING:
    from ephemera.oci.registries import Registries

#: For how long a registry is believed about a tag.
_TAG_MAX_AGE_S = 60.0
#: For how long a registry is asked about a tag whose image is here: a machine waits meanwhile.
_CHECK_TIMEOUT_S = 5.0


class Images:
    """Images by reference. Belongs to one event loop.

    Args:
        folder: Its own; made where it does not exist. The layers are below `layers/` in it.
        patience: With registries that drop what they were sending.

    Attributes:
        own: The registry of the platform itself, if it has one; given before `open`.
    """

    def __init__(self, folder: Path, patience: Patience = Patience()) -> None:  # noqa: B008 - a value
        self.folder = folder
        self.own: OwnRegistry | None = None
        self._records = Records(folder)
        self._patience = patience
        self._registries: Registries | None = None
        self._locks = LayerLocks()
        self._shared: dict[tuple[str, bool], Shared[Image]] = {}
        #: When a registry was last asked in vain about a reference, by the monotonic clock.
        self._away_at: dict[str, float] = {}
        self._chores: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Learn what is here, and remove what is not whole. Repeating is safe."""
        self._records.load()
        for stray in self._records.strays():
            self._put_aside(stray.name)
        self._in_background(remove([*self._records.unfinished.iterdir()]))

    async def close(self) -> None:
        """Give up what is under way, and close all connections. Repeating is safe."""
        await asyncio.gather(*(one.end() for one in [*self._shared.values()]))
        await asyncio.gather(*self._chores)
        if self._registries:
            await self._registries.close()

    async def prepare(self, reference: str, say: Say, *, digest: str = "") -> Image:
        """Return an image that is here, pulled if need be.

        Many may ask for the same at once: it is pulled once, and all hear how far it is. Who is
        cancelled does not stop it for the others. Repeating is safe, and quick.

        Args:
            digest: Of exactly the image that is meant, whatever the reference means today.

        Raises:
            ImageUnavailable: it cannot be had; the message says why.
        """
        wanted = self._meant_by(reference)
        if digest:
            wanted = wanted.at(digest)
        while True:
            image = self._known(wanted, digest)
            if image:
                return image
            image = await self._share(wanted, say, again=False)
            # It may have been removed between its arrival and this line.
            if self._records.get(image.digest):
                return image

    async def pull(self, reference: str, say: Say) -> Image:
        """Return an image as its registry has it now; what is here of it is not sent again.

        Raises:
            ImageUnavailable: it cannot be had; the message says why.
        """
        return await self._share(self._meant_by(reference), say, again=True)

    def list(self) -> Sequence[StoredImage]:
        """Return the images that are here, oldest first: each once for each of its references."""
        return [one for record in self._records.all() for one in self._stored(record)]

    async def prune(self, used: AbstractSet[str]) -> Pruned:
        """Remove the images that nobody uses, and the layers that only they have.

        Args:
            used: The digests of those that are in use, also for a start that is under way.

        Returns:
            What was removed, once it is gone.
        """
        unused = [one for one in self._records.all() if one.image.digest not in used]
        for record in unused:
            self._records.forget(record.image.digest)
        layers = self._records.take_unused()
        await remove([self._put_aside(layer.name) for layer in layers])
        return Pruned(
            tuple(record.image for record in unused),
            len(layers),
            sum(layer.size_bytes for layer in layers),
        )

    # finding

    def _meant_by(self, text: str) -> Reference:
        wanted = references.parse(text)
        return self.own.settled(wanted) if self.own else wanted

    def _is_own(self, wanted: Reference) -> bool:
        return self.own is not None and self.own.owns(wanted.host)

    def _known(self, wanted: Reference, digest: str) -> Image | None:
        """Return an image that is here and may be used without asking anybody."""
        if digest and (record := self._records.get(digest)):
            return _named(record.image, str(wanted))
        if self._is_own(wanted):  # its app may be gone, and another one of the same name here
            return None
        meaning = self._records.meaning(str(wanted))
        if meaning and (wanted.digest or self._is_fresh(wanted, meaning)):
            return self._meant(wanted)
        return None

    def _is_fresh(self, wanted: Reference, meaning: Meaning) -> bool:
        if 0 <= time.time() - meaning.checked_at < _TAG_MAX_AGE_S:
            return True
        away_at = self._away_at.get(str(wanted))
        return away_at is not None and time.monotonic() - away_at < _TAG_MAX_AGE_S

    def _meant(self, wanted: Reference) -> Image | None:
        """Return the image that a reference means, if it is here."""
        reference = str(wanted)
        meaning = self._records.meaning(reference)
        record = self._records.get(meaning.digest) if meaning else None
        return _named(record.image, reference) if record else None

    def _stored(self, record: Record) -> Sequence[StoredImage]:
        size = sum(layer.size_bytes for layer in record.layers)
        meant = [
            (reference, meaning.checked_at)
            for reference, meaning in self._records.references().items()
            if meaning.digest == record.image.digest
        ]
        own = record.image.reference
        return [
            StoredImage(_named(record.image, reference), size, record.pulled_at, checked_at)
            for reference, checked_at in meant or [(own, record.pulled_at)]
        ]

    # having

    async def _share(self, wanted: Reference, say: Say, *, again: bool) -> Image:
        key = (str(wanted), again)
        shared = self._shared.get(key)
        if shared is None or shared.abandoned:
            shared = Shared(lambda tell: self._have(wanted, tell, again=again))
            self._shared[key] = shared
            shared.when_done(lambda: self._drop(key, shared))
        return await shared.wait(say)

    def _drop(self, key: tuple[str, bool], shared: Shared[Image]) -> None:
        if self._shared.get(key) is shared:
            del self._shared[key]

    async def _have(self, wanted: Reference, say: Say, *, again: bool) -> Image:
        meaning = self._records.meaning(str(wanted))
        unchanged = meaning and not again and await self._still_means(wanted, meaning, say)
        # It may have been removed while the registry was being asked.
        if unchanged and (image := self._meant(wanted)):
            return image
        try:
            return await self._pulled(wanted, say)
        except RegistryAway as error:
            raise ImageUnavailable(
                f"image {wanted} cannot be pulled: {error}",
                hint=error.hint,
            ) from error
        except OSError as error:
            raise _not_kept(wanted, error, self.folder) from error

    async def _pulled(self, wanted: Reference, say: Say) -> Image:
        say("info", f"Pulling container image {wanted}")
        begun = time.perf_counter()
        source = await self._source(wanted)
        record = await Pull(wanted, source, self._records, self._locks, say).run()
        took = duration(time.perf_counter() - begun)
        say("info", f"Successfully prepared image {wanted} ({took})")
        if record.unsafe_after:
            self._in_background(self._make_safe(record.image.digest))
        return _named(record.image, str(wanted))

    async def _source(self, wanted: Reference, patience: Patience | None = None) -> Source:
        if self.own and self.own.owns(wanted.host):
            return self.own.repository(wanted)
        return await self._reached().repository(wanted, patience)

    def _reached(self) -> Registries:
        """Return the registries of the world. Imported late: many platforms pull nothing."""
        from ephemera.oci.registries import Registries

        if self._registries is None:
            self._registries = Registries(self._patience)
        return self._registries

    async def _still_means(self, wanted: Reference, meaning: Meaning, say: Say) -> bool:
        """Ask the registry whether a tag means what it meant; if it does not answer, it does."""
        try:
            async with asyncio.timeout(_CHECK_TIMEOUT_S):
                source = await self._source(wanted, Patience(tries=1))
                remote = await source.digest_of(wanted.asked)
        except (RegistryAway, TimeoutError) as error:
            self._away_at[str(wanted)] = time.monotonic()
            why = str(error) or f"no answer in {_CHECK_TIMEOUT_S:g} s"
            say("warning", f"{why}; using the image {wanted} that is here")
            return True
        if remote != meaning.remote:
            return False
        self._records.mean(str(wanted), Meaning(meaning.digest, remote, time.time()))
        return True

    # keeping

    async def _make_safe(self, digest: str) -> None:
        if await flush(self.folder):
            self._records.safe(digest)

    def _put_aside(self, name: str) -> Path:
        """Take a layer's folder out of the way, so that it can be had anew while it is removed."""
        aside = self._records.unfinished / f"removed-{name}-{time.monotonic_ns()}"
        return (self._records.layers / name).rename(aside)

    def _in_background(self, chore: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(chore)
        self._chores.add(task)
        task.add_done_callback(self._chores.discard)


def _not_kept(wanted: Reference, error: OSError, folder: Path) -> ImageUnavailable:
    why = (error.strerror or str(error)).lower()
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return no_room(f"image {wanted}", why, folder)
    return ImageUnavailable(
        f"image {wanted} cannot be kept: {why}", hint=f"look at the disk, and at {folder}"
    )


def _named(image: Image, reference: str) -> Image:
    return image if image.reference == reference else replace(image, reference=reference)
