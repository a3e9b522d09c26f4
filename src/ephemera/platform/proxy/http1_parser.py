"""Makes requests of the bytes of an HTTP/1 connection.

Reading is httptools'. What it has no limit for is limited here: how much may come before there
is anything to tell, be it a head, a trailer or the size of a chunk.
"""

from __future__ import annotations

from typing import Protocol

import httptools

from ephemera.platform.proxy.http1_request import Request, Wire
from ephemera.platform.proxy.requests import HEAD_BYTES_MAX, HEADERS_MAX, bad, checked, too_large
from ephemera.platform.proxy.routing import ProxyRefusal
from ephemera.platform.proxy.streams import (
    HIGH_BYTES,
    LOW_BYTES,
    Client,
    Disconnected,
    Headers,
    Pipe,
    RequestHead,
)
from ephemera.platform.upgrading import RequestParser


class Reader(Protocol):
    """Who is told of requests."""

    def began(self) -> None:
        """Hear that a request has begun to arrive."""
        ...

    def arrived(self, request: Request) -> None:
        """Take a request, whose body may still be on its way."""
        ...

    def hold_body(self) -> None:
        """Read nothing until `let_body`: bodies come faster than they are taken."""
        ...

    def let_body(self) -> None:
        """Read again."""
        ...


class Parser:
    """Reads one connection, from its beginning or from after a request that wanted to upgrade.

    Args:
        wire: Where answers go.
    """

    def __init__(self, reader: Reader, wire: Wire, client: Client) -> None:
        self._reader = reader
        self._wire = wire
        self._client = client
        self._parser = RequestParser(self, lambda: (self._url, self._headers))
        self._url = b""
        self._headers: Headers = []
        self._arriving: Request | None = None
        self._unreported = 0
        self._refusal: ProxyRefusal | None = None
        #: Whether nothing can be read any more, for what came was no request.
        self.is_broken = False
        #: What came after a request that would like to go on in another protocol; None if none did.
        self.after_upgrade: bytes | None = None

    @property
    def has_part_of_head(self) -> bool:
        """Whether a request has begun, and its head is not whole."""
        return bool(self._unreported) and self._arriving is None

    def feed(self, data: bytes) -> None:
        """Read bytes."""
        self._unreported += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self.after_upgrade = data[upgrade.args[0] :]
        except httptools.HttpParserError as error:
            self.fail(self._refusal or bad(str(error).lower()))
        if self._unreported > HEAD_BYTES_MAX:
            self.fail(too_large())

    def fail(self, refusal: ProxyRefusal) -> None:
        """Refuse what arrives, in its turn, and read nothing that follows it."""
        if self.is_broken:
            return
        self.is_broken = True
        if self._arriving:
            self._arriving.keep_alive = False
            self._arriving.body.fail(refusal)
            return
        nothing = RequestHead(b"GET", b"/", b"", [], "1.1")
        body = Pipe()
        body.end()
        self._reader.arrived(
            Request(self._wire, nothing, body, self._client, keep_alive=False, refusal=refusal)
        )

    def lose(self) -> None:
        """Note that nothing more will come."""
        if self._arriving:
            self._arriving.body.fail(Disconnected())

    # httptools

    def on_message_begin(self) -> None:
        """Begin to read a request."""
        self._url = b""
        self._headers = []
        self._reader.began()

    def on_url(self, url: bytes) -> None:
        """Take the target, or a piece of it."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, or a trailer."""
        into = self._arriving.body.trailers if self._arriving else self._headers
        into.append((name.lower(), value))
        if len(name) + len(value) > HEAD_BYTES_MAX or len(into) > HEADERS_MAX:
            self._refusal = too_large()
            raise self._refusal

    def on_headers_complete(self) -> None:
        """Take the head as a whole."""
        self._unreported = 0
        parser = self._parser
        if parser.puts_off:
            return
        version = parser.get_http_version()
        try:
            head = checked(parser.get_method(), self._url, self._headers, version)
        except ProxyRefusal as refusal:
            self._refusal = refusal
            raise
        body = Pipe(self._took, self._fed)
        keep_alive = parser.should_keep_alive()
        self._arriving = Request(self._wire, head, body, self._client, keep_alive=keep_alive)
        self._reader.arrived(self._arriving)

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._unreported = 0
        if self._arriving:
            self._arriving.body.feed(body)

    def on_chunk_header(self) -> None:
        """Note that it goes on."""
        self._unreported = 0

    def on_message_complete(self) -> None:
        """Note that the request is whole."""
        self._unreported = 0
        if self._arriving:
            self._arriving.body.end()
            self._arriving = None

    def _fed(self, size: int) -> None:
        if size > HIGH_BYTES:
            self._reader.hold_body()

    def _took(self, _: int, left: int) -> None:
        if left < LOW_BYTES:
            self._reader.let_body()
