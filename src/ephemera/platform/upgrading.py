"""Reading requests that would like to go on in another protocol, and have a body.

httptools ends such a request with its head, and takes the body for the other protocol's first
words. But a body comes before any switch, and whoever does not want to switch goes on reading HTTP:
clients that offer HTTP/2 with every request (Java's own, `curl --http2`) count on that.

Source: RFC 9110, section 7.8.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import Any

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

_Headers = list[tuple[bytes, bytes]]


class RequestParser(httptools.HttpRequestParser):
    """Reads requests; one with a body does not switch, whatever it would like.

    Args:
        reader: Who is told of what is read, as with httptools. It is told of the head of a request
            that is put off, and its end, and then of all of it again, without the wish.
        head: Returns the target and the headers that it was told of last, names in lower case.
    """

    def __init__(self, reader: object, head: Callable[[], tuple[bytes, _Headers]]) -> None:
        super().__init__(reader)
        self._head = head

    @property
    def puts_off(self) -> bool:
        """Whether what it tells of now will come again, so that nothing is to be done about it."""
        return self.should_upgrade() and any(map(_announces_body, self._head()[1]))

    def feed_data(self, data: bytes | bytearray | memoryview | array[int]) -> None:
        """Read bytes.

        Raises:
            httptools.HttpParserUpgrade: what follows is of another protocol, from that byte on.
            httptools.HttpParserError: it is no request.
        """
        left = data
        while True:
            try:
                return super().feed_data(left)
            except httptools.HttpParserUpgrade as upgrade:
                rest = bytes(left[upgrade.args[0] :])
                if not self.puts_off:
                    raise httptools.HttpParserUpgrade(len(data) - len(rest)) from None
                left = self._without_wish() + rest

    def _without_wish(self) -> bytes:
        target, headers = self._head()
        version = self.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (self.get_method(), target, version)]
        lines += [b"%b: %b" % (name, value) for name, value in headers if name != b"upgrade"]
        return b"\r\n".join([*lines, b"", b""])


class HttpProtocol(HttpToolsProtocol):
    """uvicorn's, which reads the bodies of all requests."""

    def __init__(
        self, config: Config, server_state: ServerState, app_state: dict[str, Any], **more: Any
    ) -> None:
        super().__init__(config, server_state, app_state, **more)
        self.parser: RequestParser = RequestParser(self, lambda: (self.url, self.headers))
        # As uvicorn has it: who pipelines after the last request is answered that one.
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)

    def on_headers_complete(self) -> None:
        """Begin to answer."""
        if not self.parser.puts_off:
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Note that the request is whole."""
        if not self.parser.puts_off:
            super().on_message_complete()


def _announces_body(header: tuple[bytes, bytes]) -> bool:
    name, value = header
    return name == b"transfer-encoding" or (name == b"content-length" and value.strip(b"0") != b"")
