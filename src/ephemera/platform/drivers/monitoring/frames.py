"""Messages between the server and a monitor: a length, then one JSON object.

```
the server asks                                          the monitor says
{"do": "start", "machine", "boot", "command", "env",     {"say": "started", "knows"}
 "files", "mounts", "beside", "log_folder",              {"say": "failed", "error"}
 "instance", "region"}
{"do": "attach", "machine", "boot"}                      {"say": "exited", "exit": {...}, "late"}
{"do": "end", "machine", "boot"}                         {"say": "held"}     another one has it
{"do": "signal", "id", "signum", "everyone"}             {"say": "gone"}     it was destroyed
{"do": "exec", "id", "command", "stdin", "timeout"}      {"say": "done", "id", ...}
{"do": "suspend" | "resume" | "ps", "id"}                {"say": "output"}   the log has grown
{"do": "terminal", "id", "command", "rows", "columns"}   {"say": "data", "id", "data"}
{"do": "type", "id", "data"}
{"do": "resize", "id", "rows", "columns"}
{"do": "hang up", "id"}
{"do": "visit", ...}         of a monitor that is to be of no boot: see the `visit` of a kind
```

A monitor outlives the server that made it, so it says what it `knows`: a server of a newer version
asks it nothing else. A terminal has a link of its own. Of the first three, one with
`"patient": true` waits until nobody holds the boot. Bytes travel as base64. Standard library only.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

Message = dict[str, Any]

#: What a monitor can be asked that has an answer of its own.
QUESTIONS = ("exec", "signal", "suspend", "resume", "ps")
#: What those could that did not say it.
FIRST_QUESTIONS = ("exec", "signal")

_LENGTH_BYTES = 4


def encode(message: Message) -> bytes:
    """Return the message as it travels."""
    body = json.dumps(message, separators=(",", ":")).encode()
    return len(body).to_bytes(_LENGTH_BYTES, "big") + body


def started(questions: Iterable[str] = ()) -> Message:
    """Return what a monitor says whose program runs, and which answers these questions too."""
    return {"say": "started", "knows": [*QUESTIONS, *questions]}


class Decoder:
    """Puts messages together from whatever pieces they arrive in."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, data: bytes) -> Iterator[Message]:
        """Take what arrived and yield each message that is now complete."""
        self._bytes += data
        while len(self._bytes) >= _LENGTH_BYTES:
            end = _LENGTH_BYTES + int.from_bytes(self._bytes[:_LENGTH_BYTES], "big")
            if len(self._bytes) < end:
                return
            body = self._bytes[_LENGTH_BYTES:end]
            del self._bytes[:end]
            yield json.loads(body)


def send(sock: socket.socket, message: Message) -> None:
    """Send a message, however long the other end takes.

    Raises:
        BrokenPipeError, ConnectionResetError: nobody is there any more.
    """
    sock.sendall(encode(message))


def send_last(sock: socket.socket, message: Message) -> None:
    """Send the last message of a link; whoever is no longer there to hear it asks again."""
    with suppress(BrokenPipeError, ConnectionResetError):
        send(sock, message)


def receive(sock: socket.socket) -> Message | None:
    """Block until one message has arrived; None where the other end closed before it was whole."""
    head = _exactly(sock, _LENGTH_BYTES)
    body = _exactly(sock, int.from_bytes(head, "big")) if head else b""
    return json.loads(body) if body else None


def _exactly(sock: socket.socket, count: int) -> bytes:
    parts = bytearray()
    while len(parts) < count:
        part = sock.recv(min(count - len(parts), 1 << 20))
        if not part:
            return b""
        parts += part
    return bytes(parts)
