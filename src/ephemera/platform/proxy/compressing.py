"""Makes bodies smaller on their way to clients, where the app wants that (`http_options.compress`).

Each piece that an app sends is sent on at once, compressed: a stream stays one.
"""

from __future__ import annotations

import re
import zlib

from ephemera.platform.proxy.answers import AnswerHead
from ephemera.platform.proxy.streams import Headers, RequestHead

#: Below, it costs more than it saves.
_BYTES_MIN = 512
#: Half the time of the usual 6, for a few percent of size.
_LEVEL = 4
_GZIP_BITS = 31
_TYPES = re.compile(
    rb"(?:text/(?!event-stream)|application/(?:json|javascript|xml|wasm|manifest\+json"
    rb"|x-javascript|.*\+(?:json|xml))|image/svg\+xml|font/(?:ttf|otf))",
    re.IGNORECASE,
)
_ZERO = re.compile(rb"\s*q\s*=\s*0(?:\.0*)?\s*")


class Gzip:
    """Compresses one body."""

    def __init__(self) -> None:
        self._packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP_BITS)

    def pack(self, chunk: bytes) -> bytes:
        """Return a piece, such that all of it can be read when it arrives."""
        return self._packer.compress(chunk) + self._packer.flush(zlib.Z_SYNC_FLUSH)

    def end(self) -> bytes:
        """Return what ends the body."""
        return self._packer.flush()


def worth_it(head: RequestHead, answer: AnswerHead) -> bool:
    """Return whether a body can be compressed for this client, and becomes smaller by it."""
    return (
        answer.status == 200
        and head.method != b"HEAD"
        and (answer.length is None or answer.length >= _BYTES_MIN)
        and not answer.get(b"content-encoding")
        and b"no-transform" not in answer.get(b"cache-control").lower()
        and bool(_TYPES.match(answer.get(b"content-type")))
        and _takes_gzip(head.get(b"accept-encoding").lower())
    )


def described(headers: Headers) -> Headers:
    """Return the headers of an answer whose body is compressed from here on."""
    said = [pair for pair in headers if pair[0] not in (b"content-length", b"accept-ranges")]
    said = [(name, _weak(value) if name == b"etag" else value) for name, value in said]
    return [*said, (b"content-encoding", b"gzip"), (b"vary", b"accept-encoding")]


def _takes_gzip(accepted: bytes) -> bool:
    for one in accepted.split(b","):
        coding, _, weight = one.partition(b";")
        if coding.strip() in (b"gzip", b"*"):
            return not _ZERO.fullmatch(weight)
    return False


def _weak(tag: bytes) -> bytes:
    """Return the tag of a body that is equal, but not byte by byte."""
    return tag if tag.startswith(b"W/") else b"W/" + tag
