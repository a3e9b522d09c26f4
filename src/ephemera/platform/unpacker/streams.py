"""From the bytes that were sent to those of the archive, in a thread of its own.

Digests and decompression release the GIL, so this thread and the one that makes files use two
processors. The queue between them is short: who is ahead waits.
"""

from __future__ import annotations

import hashlib
import queue
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

from ephemera.platform.unpacker.problems import BadLayer

#: How much is read, and how much is unpacked, at a time.
_READ_BYTES = 64 * 1024
_PIECE_BYTES = 256 * 1024
_PIECES_AHEAD = 16
#: Who unpacks more than this, and a hundred times what was sent, is filling the disk on purpose.
BOMB_FROM_BYTES = 1024**3
_BOMB_RATIO = 100

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
#: zstd's skippable frames, with which some tools begin: 0x184D2A50 to 0x184D2A5F.
_ZSTD_SKIPPABLE = b"\x2a\x4d\x18"


class Decompressor(Protocol):
    """What zlib's and zstd's decompressors have in common, once `_Gzip` has it too."""

    @property
    def eof(self) -> bool:
        """Whether it has come to its end; what came after that is `unused_data`."""
        ...

    @property
    def needs_input(self) -> bool:
        """Whether it can go on only with more."""
        ...

    @property
    def unused_data(self) -> bytes:
        """What was left over at the end."""
        ...

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Return at most `max_length` bytes; what is left of `data` is kept."""
        ...


class _Gzip:
    """zlib's decompressor for gzip, in the form of those of bz2, lzma and zstd."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        rest = self._inner.unconsumed_tail
        produced = self._inner.decompress(rest + data if rest else data, max_length)
        self.needs_input = not self._inner.unconsumed_tail and len(produced) < max_length
        return produced


def opener(head: bytes) -> Callable[[], Decompressor] | None:
    """Return what unpacks a stream that begins like this; None where it is not packed."""
    if head.startswith(_GZIP):
        return _Gzip
    if head.startswith(_ZSTD) or head[1:4] == _ZSTD_SKIPPABLE:
        return _zstd()
    return None


def _zstd() -> Callable[[], Decompressor]:
    if sys.version_info >= (3, 14):
        from compression.zstd import ZstdDecompressor
    else:
        from backports.zstd import ZstdDecompressor
    return ZstdDecompressor


class Stream:
    """The archive, unpacked and weighed in a thread while it is read here.

    Args:
        read: Returns the next bytes that were sent, at most so many; empty at the end.
        unpack: Makes a decompressor, or None for an archive that is not packed.
    """

    def __init__(
        self,
        head: bytes,
        read: Callable[[int], bytes],
        unpack: Callable[[], Decompressor] | None,
        bomb_from_bytes: int = BOMB_FROM_BYTES,
    ) -> None:
        self._head = head
        self._read = read
        self._unpack = unpack
        self._bomb_from_bytes = bomb_from_bytes
        self._sent = hashlib.sha256()
        self._plain = hashlib.sha256()
        self._queue: queue.Queue[bytes | BaseException] = queue.Queue(_PIECES_AHEAD)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.sent_bytes = 0
        self.plain_bytes = 0

    def start(self) -> None:
        """Begin to read and to unpack."""
        self._thread.start()

    def next(self) -> bytes:
        """Return the next bytes of the archive; empty at its end.

        Raises:
            BadLayer: what was sent cannot be unpacked.
        """
        piece = self._queue.get()
        if isinstance(piece, BaseException):
            raise piece
        return piece

    def digests(self) -> tuple[str, str]:
        """Return the digests of what was sent and of the archive; read it to its end before."""
        self._thread.join()
        return f"sha256:{self._sent.hexdigest()}", f"sha256:{self._plain.hexdigest()}"

    def _run(self) -> None:
        try:
            for piece in self._unpacked():
                self._plain.update(piece)
                self.plain_bytes += len(piece)
                self._check_size()
                self._queue.put(piece)
            self._queue.put(b"")
        except BaseException as error:  # noqa: BLE001 - it is raised where the archive is read
            self._queue.put(error)

    def _unpacked(self) -> Iterator[bytes]:
        unpack = self._unpack
        if unpack is None:
            yield from self._pieces()
            return
        inner = unpack()
        for data in self._pieces():
            while True:
                if inner.eof:
                    # Some archives are several, one after the other; zeros at the end are padding.
                    data = data.lstrip(b"\0")
                    if not data:
                        break
                    inner = unpack()
                piece = _decompress(inner, data)
                data = inner.unused_data if inner.eof else b""
                if piece:
                    yield piece
                if not data and (inner.eof or inner.needs_input):
                    break
        if not inner.eof:
            raise BadLayer("what was sent ends in the middle")

    def _pieces(self) -> Iterator[bytes]:
        """Yield what was sent, weighed."""
        piece = self._head
        while piece:
            self._sent.update(piece)
            self.sent_bytes += len(piece)
            yield piece
            piece = self._read(_READ_BYTES)

    def _check_size(self) -> None:
        if (
            self.plain_bytes > self._bomb_from_bytes
            and self.plain_bytes > _BOMB_RATIO * self.sent_bytes
        ):
            raise BadLayer(
                f"it unpacks to more than {_BOMB_RATIO} times its size,"
                f" {self.plain_bytes} bytes so far: it looks like a decompression bomb"
            )


def _decompress(inner: Decompressor, data: bytes) -> bytes:
    try:
        return inner.decompress(data, _PIECE_BYTES)
    except Exception as error:  # each library has its own
        raise BadLayer(f"it cannot be decompressed: {error}") from error
