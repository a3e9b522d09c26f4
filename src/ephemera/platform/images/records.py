"""Which images are here, in memory and on the disk.

```
 manifests/<hex>.json   one for each image: its layers, its config, when it was pulled
 references.json        what each reference means, and when the registry last said so
 layers/<name>/         files; what no image refers to is removed
 unfinished/            what is being made or removed; emptied when a server starts
```

A layer or record has all its bytes in the kernel when it appears, and on the disk a moment later.
A record says until then in which boot of the computer it was written: if that is over, nobody
knows whether the disk has it all, and the image is forgotten.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from ephemera.oci.imageconfig import ImageConfig
from ephemera.platform.images.image import Image

_log = logging.getLogger(__name__)

T = TypeVar("T")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
#: Of a diff id in the name of a layer's folder, at least; 127 of them have to fit into the 4 KB
#: that a mount has for its options.
_NAME_LENGTHS = (16, 24, 64)


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer that is here."""

    name: str
    diff_id: str
    #: The contents of its files together; bytes.
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Record:
    """An image that is here."""

    image: Image
    layers: tuple[Layer, ...]
    pulled_at: float
    #: The boot of this computer in which it was written; empty once the disk has it.
    unsafe_after: str = ""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a reference means."""

    #: Of the manifest for this computer.
    digest: str
    #: What the registry said: the digest of an index, or the same.
    remote: str
    #: Seconds since 1970.
    checked_at: float


class Records:
    """The images of one folder. Reads from memory, writes to the disk first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.layers = folder / "layers"
        self.unfinished = folder / "unfinished"
        self._manifests = folder / "manifests"
        self._records: dict[str, Record] = {}
        self._meanings: dict[str, Meaning] = {}
        self._layers: dict[str, Layer] = {}
        #: How many pulls need a layer.
        self._held: Counter[str] = Counter()

    def load(self) -> None:
        """Read the disk; forget what is not whole. Repeating is safe."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)  # a layer may hold programs that make everybody root
        for folder in (self.layers, self.unfinished, self._manifests):
            folder.mkdir(exist_ok=True)
        self._records, self._meanings, self._layers = {}, {}, {}
        boot = boot_id()
        there = {entry.name for entry in os.scandir(self.layers)}
        for path in sorted(self._manifests.iterdir()):
            record = _read(path, _record)
            whole = record and all(layer.name in there for layer in record.layers)
            if record and whole and record.unsafe_after in ("", boot):
                self._remember(record)
            else:
                _log.warning("the image of %s is not whole, and is forgotten", path)
                path.unlink()
        found = _read(self.folder / "references.json", _meanings) or {}
        self._meanings = {
            reference: meaning
            for reference, meaning in found.items()
            if meaning.digest in self._records
        }

    def get(self, digest: str) -> Record | None:
        """Return the image with this digest."""
        return self._records.get(digest)

    def meaning(self, reference: str) -> Meaning | None:
        """Return what a reference means, if that is here."""
        return self._meanings.get(reference)

    def all(self) -> list[Record]:
        """Return all images, oldest first."""
        return sorted(self._records.values(), key=lambda one: one.pulled_at)

    def references(self) -> Mapping[str, Meaning]:
        """Return what each reference means."""
        return self._meanings

    def layer(self, diff_id: str) -> Layer | None:
        """Return the layer with this diff id, if it is here, of an image or on the way to be."""
        return self._layers.get(diff_id)

    def name_for(self, diff_id: str) -> str:
        """Return a name for a new layer: as much of its diff id as tells it from the others."""
        taken = {layer.name for layer in self._layers.values()}
        digits = diff_id.removeprefix("sha256:")
        return next(name for n in _NAME_LENGTHS if (name := digits[:n]) not in taken)

    def add_layer(self, layer: Layer) -> None:
        """Remember a layer of which no image is here yet."""
        self._layers[layer.diff_id] = layer

    def add(self, record: Record) -> None:
        """Write an image down."""
        self._write(self._path(record.image.digest), asdict(record))
        self._remember(record)

    def safe(self, digest: str) -> None:
        """Write down that the disk has the image, if it was not forgotten meanwhile."""
        record = self._records.get(digest)
        if record and record.unsafe_after:
            self._records[digest] = replace(record, unsafe_after="")
            self._write(self._path(digest), asdict(self._records[digest]))

    def mean(self, reference: str, meaning: Meaning) -> None:
        """Write down what a reference means."""
        self._meanings[reference] = meaning
        self._write_meanings()

    def forget(self, digest: str) -> None:
        """Take an image away, and what its references mean; its layers are unused from now on."""
        self._path(digest).unlink(missing_ok=True)
        self._records.pop(digest, None)
        left = {ref: one for ref, one in self._meanings.items() if one.digest != digest}
        if len(left) < len(self._meanings):
            self._meanings = left
            self._write_meanings()

    @contextmanager
    def holding(self, diff_ids: Collection[str]) -> Iterator[None]:
        """Let no layer of these become unused while an image of them is being pulled."""
        self._held.update(diff_ids)
        try:
            yield
        finally:
            self._held.subtract(diff_ids)

    def take_unused(self) -> list[Layer]:
        """Forget the layers that no image has, and return them."""
        used = {layer.diff_id for one in self._records.values() for layer in one.layers}
        used |= {diff_id for diff_id, holders in self._held.items() if holders > 0}
        unused = [layer for layer in self._layers.values() if layer.diff_id not in used]
        for layer in unused:
            del self._layers[layer.diff_id]
        return unused

    def strays(self) -> list[Path]:
        """Return the folders of layers that nobody knows."""
        names = {layer.name for layer in self._layers.values()}
        return [path for path in self.layers.iterdir() if path.name not in names]

    def _remember(self, record: Record) -> None:
        self._records[record.image.digest] = record
        for layer in record.layers:
            self._layers.setdefault(layer.diff_id, layer)

    def _path(self, digest: str) -> Path:
        return self._manifests / f"{digest.removeprefix('sha256:')}.json"

    def _write_meanings(self) -> None:
        body = {reference: asdict(one) for reference, one in self._meanings.items()}
        self._write(self.folder / "references.json", body)

    def _write(self, path: Path, body: Any) -> None:
        """Write a file all at once. If a crash of the computer undoes it, an image is forgotten."""
        # A name that nobody had: what a server that was killed has left is removed meanwhile.
        fresh = self.unfinished / f"{path.name}-{secrets.token_hex(8)}"
        with fresh.open("w") as file:
            json.dump(body, file)
        fresh.replace(path)


def boot_id() -> str:
    """Return which boot of this computer this is."""
    return _BOOT_ID.read_text().strip()


def _read(path: Path, form: Callable[[dict[str, Any]], T]) -> T | None:
    """Return what a file says; None where there is none, or it was not written to its end."""
    try:
        return form(json.loads(path.read_text()))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        _log.warning("%s cannot be read: %s", path, error)
        return None


def _record(found: dict[str, Any]) -> Record:
    image = found["image"]
    config: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in image["config"].items()
    }
    return Record(
        Image(
            image["reference"],
            image["digest"],
            tuple(image["layers"]),
            ImageConfig(**config),
        ),
        tuple(Layer(**layer) for layer in found["layers"]),
        found["pulled_at"],
        found["unsafe_after"],
    )


def _meanings(found: dict[str, Any]) -> dict[str, Meaning]:
    return {reference: Meaning(**meaning) for reference, meaning in found.items()}
