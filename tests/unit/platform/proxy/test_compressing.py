"""Which answers are compressed on their way."""

from __future__ import annotations

import zlib

import pytest

from ephemera.platform.proxy.answers import AnswerHead
from ephemera.platform.proxy.compressing import Gzip, described, worth_it
from ephemera.platform.proxy.streams import Headers, RequestHead


def is_worth_it(
    accepted: bytes = b"gzip",
    kind: bytes = b"text/html",
    *,
    method: bytes = b"GET",
    status: int = 200,
    length: int | None = 10_000,
    more: Headers | None = None,
) -> bool:
    head = RequestHead(method, b"/", b"demo", [(b"accept-encoding", accepted)], "1.1")
    return worth_it(
        head, AnswerHead(status, [(b"content-type", kind), *(more or [])], "1.1", length)
    )


@pytest.mark.parametrize("accepted", [b"gzip", b"br, GZIP;q=0.5", b"*", b"deflate,gzip; q=1"])
def test_who_takes_gzip_gets_it(accepted: bytes) -> None:
    assert is_worth_it(accepted)


@pytest.mark.parametrize("accepted", [b"", b"br", b"gzip;q=0", b"gzip; q=0.000", b"xgzip"])
def test_who_does_not_take_it_does_not(accepted: bytes) -> None:
    assert not is_worth_it(accepted)


@pytest.mark.parametrize("kind", [b"application/json", b"image/svg+xml", b"application/a+json"])
def test_text_of_all_kinds_is_compressed(kind: bytes) -> None:
    assert is_worth_it(kind=kind)


@pytest.mark.parametrize("kind", [b"image/png", b"text/event-stream", b"application/zip", b""])
def test_streams_of_events_and_what_is_compressed_already_are_not(kind: bytes) -> None:
    assert not is_worth_it(kind=kind)


def test_neither_is_what_has_no_body_is_short_is_a_part_or_forbids_it() -> None:
    assert not is_worth_it(method=b"HEAD")
    assert not is_worth_it(status=206)
    assert not is_worth_it(length=100)
    assert not is_worth_it(more=[(b"cache-control", b"No-Transform")])
    assert not is_worth_it(more=[(b"content-encoding", b"br")])
    assert is_worth_it(length=None)


def test_each_piece_can_be_read_when_it_comes() -> None:
    packer, unpacker = Gzip(), zlib.decompressobj(31)
    for piece in (b"one", b"two"):
        assert unpacker.decompress(packer.pack(piece)) == piece
    assert unpacker.decompress(packer.end()) == b""
    assert unpacker.eof


def test_the_headers_say_so() -> None:
    said = described([(b"etag", b'"1"'), (b"accept-ranges", b"bytes"), (b"x", b"1")])
    assert said == [
        (b"etag", b'W/"1"'),
        (b"x", b"1"),
        (b"content-encoding", b"gzip"),
        (b"vary", b"accept-encoding"),
    ]
