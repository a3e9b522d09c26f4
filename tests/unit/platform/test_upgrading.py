"""Requests that would like to go on in another protocol are read with their bodies."""

from __future__ import annotations

import httptools
import pytest

from ephemera.platform.upgrading import RequestParser

OFFER = b"Host: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n"
POST = b"POST /a?b HTTP/1.1\r\n" + OFFER
WITH_BODY = POST + b"Content-Length: 4\r\n\r\nbody"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"
GET = b"GET /c HTTP/1.1\r\nHost: x\r\n\r\n"


class Told:
    """Notes what it is told, as the two who read requests here do."""

    def __init__(self) -> None:
        self.parser = RequestParser(self, lambda: (self.url, self.headers))
        self.requests: list[tuple[bytes, bytes, list[bytes]]] = []
        self.bodies: list[bytes] = []
        self.ended = 0
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []

    def on_message_begin(self) -> None:
        self.url, self.headers = b"", []

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        if not self.parser.puts_off:
            names = [name for name, _ in self.headers]
            self.requests.append((self.parser.get_method(), self.url, names))
            self.bodies.append(b"")

    def on_body(self, body: bytes) -> None:
        self.bodies[-1] += body

    def on_message_complete(self) -> None:
        self.ended += not self.parser.puts_off


@pytest.mark.parametrize("first", [WITH_BODY, CHUNKED], ids=["length", "chunked"])
def test_a_body_is_read_wherever_its_bytes_are_torn_apart(first: bytes) -> None:
    sent = first + first + GET
    for at in range(1, len(sent)):
        told = Told()
        told.parser.feed_data(sent[:at])
        told.parser.feed_data(sent[at:])
        assert [one[:2] for one in told.requests] == [
            (b"POST", b"/a?b"),
            (b"POST", b"/a?b"),
            (b"GET", b"/c"),
        ]
        assert told.bodies == [b"body", b"body", b""]
        assert told.ended == 3
        assert not any(b"upgrade" in names for _, _, names in told.requests)


def test_all_other_headers_are_read_again() -> None:
    told = Told()
    told.parser.feed_data(WITH_BODY)
    ((_, _, names),) = told.requests
    assert names == [b"host", b"connection", b"http2-settings", b"content-length"]


@pytest.mark.parametrize("length", [b"", b"Content-Length: 0\r\n"], ids=["none", "zero"])
@pytest.mark.parametrize("before", [b"", GET, WITH_BODY], ids=["first", "second", "after one"])
def test_who_has_no_body_may_switch_from_the_byte_after_the_head(
    before: bytes, length: bytes
) -> None:
    told = Told()
    head = b"GET / HTTP/1.1\r\n" + OFFER + length + b"\r\n"
    with pytest.raises(httptools.HttpParserUpgrade) as caught:
        told.parser.feed_data(before + head + b"other")
    assert (before + head + b"other")[caught.value.args[0] :] == b"other"
    assert told.requests[-1][1] == b"/"


def test_a_body_that_is_framed_twice_is_no_request() -> None:
    told = Told()
    with pytest.raises(httptools.HttpParserError):
        told.parser.feed_data(
            POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        )
    assert not told.requests
