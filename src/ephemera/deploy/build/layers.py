"""Layers of an image: tar archives that are the same, byte for byte, when made of the same files.

An archive is packed and hashed while it is written, so that nothing is read twice. Entries are
sorted, belong to who they are said to belong to, and are of one moment: 1970, or what
`SOURCE_DATE_EPOCH` says.

Source: https://github.com/opencontainers/image-spec/blob/main/layer.md
"""

from __future__ import annotations

import hashlib
import io
import os
import sys
import tarfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ephemera.deploy.build.shortage import no_room
from ephemera.errors import ConfigError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_MEDIA_TYPE = "application/vnd.oci.image.layer.v1.tar+"
#: Fast: what is packed is sent over a line that is faster still, or is small.
_LEVEL = 1
#: zlib's way to say that the header of gzip is wanted; it holds no time.
_GZIP_WBITS = 31

FOLDER_MODE, FILE_MODE, PROGRAM_MODE = 0o755, 0o644, 0o755


@dataclass(frozen=True, slots=True)
class Entry:
    """One file, folder or symbolic link of a layer.

    Attributes:
        name: Where it is in the image, without a slash in front.
        mode: Permissions; of a link they mean nothing.
        content: The bytes, or the file that has them; None for a folder.
        link: Where a symbolic link leads; empty for others.
        owner: The number of the user and of the group.
    """

    name: str
    mode: int = FILE_MODE
    content: bytes | Path | None = None
    link: str = ""
    owner: int = 0


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer that has been written.

    Attributes:
        path: The file that has it, packed.
        digest: Of this file, `sha256:...`.
        diff_id: Of the archive in it.
        size: Of this file, in bytes.
        media_type: What kind of file it is.
    """

    path: Path
    digest: str
    diff_id: str
    size: int
    media_type: str


def write(entries: Iterable[Entry], path: Path, compression: str = "zstd") -> Layer:
    """Write entries into a new file, in the order of their names.

    Args:
        compression: `zstd`, or `gzip` for registries and programs that know no other.

    Raises:
        BuildError: there is no room for it.
        OSError: a file of it cannot be read.
    """
    with path.open("xb") as file:
        sink = _Sink(file, path, compression)
        with tarfile.open(fileobj=sink, mode="w|", format=tarfile.PAX_FORMAT) as tar:
            for entry in sorted(entries, key=lambda entry: entry.name):
                _add(tar, entry, _moment())
        return sink.finish()


def _add(tar: tarfile.TarFile, entry: Entry, moment: int) -> None:
    info = tarfile.TarInfo(entry.name)
    info.mode, info.mtime = entry.mode, moment
    info.uid = info.gid = entry.owner
    if entry.link:
        info.type, info.linkname = tarfile.SYMTYPE, entry.link
        tar.addfile(info)
    elif entry.content is None:
        info.type = tarfile.DIRTYPE
        tar.addfile(info)
    elif isinstance(entry.content, bytes):
        info.size = len(entry.content)
        tar.addfile(info, io.BytesIO(entry.content))
    else:
        try:
            file = entry.content.open("rb")
        except FileNotFoundError:  # it has gone since it was listed: a project is worked at
            return
        with file:
            info.size = os.fstat(file.fileno()).st_size
            tar.addfile(info, file)


def _moment() -> int:
    """Return of when files are.

    Source: https://reproducible-builds.org/specs/source-date-epoch/
    """
    said = os.environ.get("SOURCE_DATE_EPOCH", "0")
    if not (said.isascii() and said.isdigit()):
        raise ConfigError(
            f"SOURCE_DATE_EPOCH is '{said[:80]}', not a number of seconds since 1970",
            hint="set it to a whole number, or do not set it",
        )
    return int(said)


class _Packer(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...


def _packer(compression: str) -> _Packer:
    if compression == "gzip":
        return zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP_WBITS)
    return zstd.ZstdCompressor(level=_LEVEL)


class _Sink(io.RawIOBase):
    """Takes an archive, and writes it to a file, packed; keeps account of both."""

    def __init__(self, file: io.BufferedWriter, path: Path, compression: str) -> None:
        self._file = file
        self._path = path
        self._packer = _packer(compression)
        self._media_type = _MEDIA_TYPE + compression
        self._archive, self._packed = hashlib.sha256(), hashlib.sha256()
        self._size = 0

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._archive.update(data)
        self._put(self._packer.compress(data))
        return len(data)

    def finish(self) -> Layer:
        """Write what is left, and return what was written."""
        self._put(self._packer.flush())
        with no_room(self._path):
            self._file.flush()
        return Layer(
            self._path,
            f"sha256:{self._packed.hexdigest()}",
            f"sha256:{self._archive.hexdigest()}",
            self._size,
            self._media_type,
        )

    def _put(self, data: bytes) -> None:
        self._packed.update(data)
        self._size += len(data)
        with no_room(self._path):
            self._file.write(data)
