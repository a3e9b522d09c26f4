"""A registry that stops to answer where it is told to, and goes on when it is told to.

```python
with slow_registry(image) as slow:  # stops in the middle of the first layer
    pull(slow.reference)
    slow.go_on()
```
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler

from ephemera.wire.ids import new_machine_name
from tests.answering import answering
from tests.images import Blob, Built

#: What the first word of somebody begins with who would like to speak TLS.
_TLS = b"\x16"


class SlowRegistry:
    """Has one image under every name. Made by `slow_registry`.

    Attributes:
        reference: Of the image.
        layers_asked: How often it was asked for a layer.
    """

    def __init__(self, image: Built, *, silent: bool) -> None:
        self.reference = ""
        self.layers_asked = 0
        self._image = image
        self._silent = silent
        self._goes_on = threading.Event()

    def go_on(self) -> None:
        """Say all the rest, and whatever is asked for from now on. Repeating is safe."""
        self._goes_on.set()

    def find(self, path: str) -> Blob:
        """Return the manifest or the blob that somebody asks for."""
        return next(
            (one for one in self._image.blobs if path.endswith(one.digest)), self._image.manifest
        )

    def said(self, blob: Blob) -> Iterator[bytes]:
        """Yield a manifest or a blob in pieces, which may be long in coming."""
        if self._silent:
            self._goes_on.wait()
        half = len(blob.data) // 2
        yield blob.data[:half]
        if blob in self._image.blobs[1:]:
            self.layers_asked += 1
            self._goes_on.wait()
        yield blob.data[half:]


@contextmanager
def slow_registry(image: Built, *, silent: bool = False) -> Iterator[SlowRegistry]:
    """Serve a registry of one image on a free port of loopback.

    Args:
        silent: Stop before the first word, and not in the middle of a layer.
    """
    slow = SlowRegistry(image, silent=silent)
    with answering(_handler(slow)) as port:
        slow.reference = f"127.0.0.1:{port}/{new_machine_name()}:latest"
        try:
            yield slow
        finally:
            slow.go_on()


def _handler(slow: SlowRegistry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def handle(self) -> None:
            if self.connection.recv(1, socket.MSG_PEEK) != _TLS:
                super().handle()

        def do_GET(self) -> None:
            blob = slow.find(self.path)
            with suppress(ConnectionError):  # nobody waits for it any more
                for number, piece in enumerate(slow.said(blob)):
                    if number == 0:
                        self._begin(blob)
                    self.wfile.write(piece)

        def _begin(self, blob: Blob) -> None:
            self.send_response(200)
            self.send_header("content-type", blob.media_type)
            self.send_header("content-length", str(len(blob.data)))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
