"""One pull: from a reference to an image on the disk.

```
 reference ─► index ─► manifest ─► config ─► layers, three at a time ─► record
                                                │
              unfinished/<random>/  ◄── unpacked while it comes ──┘
                      │ digest and diff id are what was promised
                      ▼
              layers/<name>/
```

Nothing that is not whole has a name in `layers/`.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakValueDictionary

from ephemera.errors import ImageUnavailable
from ephemera.oci import manifests
from ephemera.oci.architectures import this_computer
from ephemera.oci.manifests import Contents, Descriptor, Document
from ephemera.oci.reference import Reference
from ephemera.platform.images import records, unpacking
from ephemera.platform.images.image import Image, Say
from ephemera.platform.images.progress import Progress
from ephemera.platform.images.records import Layer, Meaning, Record, Records
from ephemera.platform.images.removal import remove
from ephemera.platform.images.sources import Source

#: Of one image at a time: a line is seldom faster with more, and a computer has few processors.
_LAYERS_AT_ONCE = 3
#: Indexes may be of indexes.
_INDEXES_MAX = 3


class LayerLocks:
    """Sees to it that no layer is unpacked twice at the same time."""

    def __init__(self) -> None:
        #: Those that somebody holds, or waits for.
        self._locks = WeakValueDictionary[str, asyncio.Lock]()

    def of(self, diff_id: str) -> asyncio.Lock:
        """Return the lock of a layer."""
        return self._locks.setdefault(diff_id, asyncio.Lock())


@dataclass(frozen=True, slots=True)
class Pull:
    """What is pulled, from where to where."""

    reference: Reference
    repository: Source
    records: Records
    locks: LayerLocks
    say: Say

    async def run(self) -> Record:
        """Return the image once it is here, whole.

        Raises:
            ImageUnavailable: it cannot be had.
            RegistryAway: its registry has stopped to answer.
            OSError: the disk does not take it.
        """
        remote, manifest = await self._resolve()
        record = self.records.get(manifest.digest)
        if record is None:
            record = await self._pull(manifest)
        meaning = Meaning(record.image.digest, remote, time.time())
        self.records.mean(str(self.reference), meaning)
        return record

    async def _resolve(self) -> tuple[str, Document]:
        """Return what the registry has under the reference, and the manifest for this computer."""
        found = await self.repository.document(self.reference.asked)
        remote, name = found.digest, str(self.reference)
        for _ in range(_INDEXES_MAX):
            if not manifests.is_index(found.body, name):
                return remote, found
            chosen = manifests.choose(found.body, this_computer(), name)
            found = await self.repository.document(chosen.digest)
        raise ImageUnavailable(
            f"image {name} is an index of indexes of indexes", hint="push the image itself"
        )

    async def _pull(self, manifest: Document) -> Record:
        name = str(self.reference)
        parts = manifests.parts(manifest.body, name)
        body = await self.repository.config(parts.config)
        contents = manifests.contents(body, parts, this_computer(), name)
        with self.records.holding(contents.diff_ids):
            layers = await self._layers(parts.layers, contents.diff_ids)
            record = self._record(manifest.digest, layers, contents)
            self.records.add(record)
        return record

    def _record(self, digest: str, layers: Sequence[Layer], contents: Contents) -> Record:
        # An overlay takes no layer twice. Of two, what the upper one has hides the lower one.
        once = tuple(reversed({layer.name: layer for layer in reversed(layers)}.values()))
        once = once[self._lowest_seen([layer.name for layer in once]) :]
        names = tuple(layer.name for layer in once)
        image = Image(str(self.reference), digest, names, contents.config)
        return Record(image, once, time.time(), records.boot_id())

    def _lowest_seen(self, names: Sequence[str]) -> int:
        """Return which layer hides all below it: overlayfs does not look at that of a root."""
        for number in reversed(range(len(names))):
            if _is_opaque(self.records.layers / names[number]):
                return number
        return 0

    async def _layers(
        self, descriptors: Sequence[Descriptor], diff_ids: Sequence[str]
    ) -> list[Layer]:
        """Return the layers once all are here."""
        wanted = dict(zip(diff_ids, descriptors, strict=True))
        missing = [one for one in wanted if self.records.layer(one) is None]
        total = sum(wanted[diff_id].size for diff_id in missing)
        progress = Progress(str(self.reference), len(missing), total, self.say)
        places = asyncio.Semaphore(_LAYERS_AT_ONCE)

        async def have(diff_id: str) -> None:
            async with places, self.locks.of(diff_id):
                if self.records.layer(diff_id) is None:
                    await self._unpack(wanted[diff_id], diff_id, progress)
                progress.layer_done()

        try:
            async with asyncio.TaskGroup() as group:
                for diff_id in missing:
                    group.create_task(have(diff_id))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        found = [self.records.layer(diff_id) for diff_id in diff_ids]
        return [layer for layer in found if layer]

    async def _unpack(self, descriptor: Descriptor, diff_id: str, progress: Progress) -> None:
        folder = self.records.unfinished / secrets.token_hex(8)
        folder.mkdir()
        folder.chmod(0o755)  # the umask is for our files, not for those of machines
        what = f"layer {descriptor.digest[:19]} of image {self.reference}"
        try:
            unpacked = await unpacking.unpack(self._pieces(descriptor, progress), folder, what)
            _compare(what, "digest", unpacked.digest, descriptor.digest)
            _compare(what, "diff id", unpacked.diff_id, diff_id)
        except BaseException:
            await remove([folder])
            raise
        name = self.records.name_for(diff_id)
        folder.rename(self.records.layers / name)
        self.records.add_layer(Layer(name, diff_id, unpacked.size_bytes))

    async def _pieces(self, wanted: Descriptor, progress: Progress) -> AsyncGenerator[bytes]:
        async for piece in self.repository.blob(wanted):
            progress.came(len(piece))
            yield piece


def _is_opaque(layer: Path) -> bool:
    """Whether the root of a layer that was unpacked hides all that is below it."""
    for kind in ("trusted", "user"):  # as the unpacker writes it, as root and without
        with suppress(OSError):
            return os.getxattr(layer, f"{kind}.overlay.opaque") == b"y"
    return False


def _compare(what: str, kind: str, got: str, promised: str) -> None:
    if got != promised:
        raise ImageUnavailable(
            f"{what} is not what was promised: its {kind} is {got}, not {promised}",
            hint="push the image again, or tell who runs the registry",
        )
