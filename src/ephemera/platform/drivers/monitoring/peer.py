"""The monitor's end of a link: never blocks, whatever the server at the other end does.

Standard library only.
"""

from __future__ import annotations

import socket

from ephemera.platform.drivers.monitoring import frames
from ephemera.platform.drivers.monitoring.frames import Message

_READ_BYTES = 64 * 1024
#: How long an ending monitor waits for a server that reads slowly. The exit is on disk by then.
_LAST_WORDS_S = 2.0


class Peer:
    """A server that is attached to this boot."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self._decoder = frames.Decoder()
        self._unsent = bytearray()
        self._owes_poke = False

    @property
    def is_behind(self) -> bool:
        """Whether something said is still to be sent."""
        return bool(self._unsent)

    def say(self, message: Message) -> None:
        """Send the message, or keep what cannot be sent now."""
        self._unsent += frames.encode(message)
        self.flush()

    def poke(self) -> None:
        """Say that the log has grown; to a server that is behind, once when it has caught up."""
        if self._unsent:
            self._owes_poke = True
        else:
            self.say({"say": "output"})

    def flush(self) -> None:
        """Send what can be sent now."""
        try:
            while self._unsent:
                del self._unsent[: self.sock.send(self._unsent)]
                if self._owes_poke and not self._unsent:
                    self._owes_poke = False
                    self._unsent += frames.encode({"say": "output"})
        except BlockingIOError:
            return
        except (BrokenPipeError, ConnectionResetError):
            self._unsent.clear()  # it is gone; reading will tell

    def hear(self) -> list[Message] | None:
        """Return the messages that are complete by now, or None when the server is gone.

        Raises:
            ValueError: what it says is not a message.
        """
        try:
            data = self.sock.recv(_READ_BYTES)
        except BlockingIOError:
            return []
        except ConnectionResetError:
            return None
        return list(self._decoder.feed(data)) if data else None

    def part(self) -> None:
        """Send what is left, for a short while, and close."""
        self.sock.settimeout(_LAST_WORDS_S)
        try:
            self.sock.sendall(self._unsent)
        except OSError:  # gone or too slow: it reads the exit from the disk
            self._unsent.clear()
        self.sock.close()
