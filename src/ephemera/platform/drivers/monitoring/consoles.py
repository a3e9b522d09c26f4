"""A command with a terminal, for somebody who sits at another one. Standard library only.

```
somebody ══ link ══► monitor ── what is typed ──► terminal ══ command
         ◄══════════         ◄─ what is printed ─
```
"""

from __future__ import annotations

import base64
import errno
import fcntl
import os
import signal
import socket
import struct
import termios
from contextlib import suppress
from types import TracebackType

from ephemera.platform.drivers.monitoring.frames import Message
from ephemera.platform.drivers.monitoring.program import NotStarted

_READ_BYTES = 16 * 1024
#: What was typed and not read yet: a command that reads nothing gets no more than this.
_TYPED_BYTES_MAX = 1 << 20
#: Of a terminal whose processes are dead: what it holds, and a bit.
_DRAIN_BYTES_MAX = 1 << 20
_COME_WITHIN_S = 5.0


class Listener:
    """Waits for a terminal that is sent through a socket in the current folder."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._socket = socket.socket(socket.AF_UNIX)

    def __enter__(self) -> Listener:
        """Listen, in the place of whoever listened there before."""
        with suppress(FileNotFoundError):
            os.unlink(self._name)
        self._socket.bind(self._name)
        # whoever sends it is somebody else by then, and comes by here from our own mounts only
        os.chmod(self._name, 0o666)  # noqa: S103
        self._socket.listen(1)
        self._socket.settimeout(_COME_WITHIN_S)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        """Listen no more."""
        self._socket.close()

    def terminal(self) -> int:
        """Return our end of the terminal.

        Raises:
            NotStarted: none came.
        """
        try:
            link, _ = self._socket.accept()
            with link:
                _, fds, _, _ = socket.recv_fds(link, 4096, 1)
        except OSError as error:
            raise NotStarted(f"no terminal could be had: {error}") from error
        if not fds:
            raise NotStarted("no terminal could be had")
        os.set_inheritable(fds[0], False)
        return fds[0]


class Console:
    """A command and its terminal.

    Args:
        pid: The command, a child of ours that leads a session.
        terminal: Our end of its terminal.
        request: What was asked: `id`, `rows` and `columns`.
    """

    def __init__(self, pid: int, terminal: int, request: Message) -> None:
        self.pid = pid
        self.terminal = terminal
        self.id = request["id"]
        self._typed = bytearray()
        os.set_blocking(terminal, False)
        self.resize(request["rows"], request["columns"])

    @property
    def is_behind(self) -> bool:
        """Whether something that was typed is still to be read."""
        return bool(self._typed)

    def resize(self, rows: int, columns: int) -> None:
        """Tell it how large the other terminal is."""
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text: str) -> None:
        """Type something: base64."""
        self._typed += base64.b64decode(text)
        del self._typed[_TYPED_BYTES_MAX:]
        self.flush()

    def flush(self) -> None:
        """Have it read what it can read now."""
        with suppress(BlockingIOError):
            try:
                while self._typed:
                    del self._typed[: os.write(self.terminal, self._typed)]
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                self._typed.clear()  # nobody is at the other end any more

    def read(self) -> bytes:
        """Return what it printed; empty where nobody can print any more.

        Raises:
            BlockingIOError: there is nothing now.
        """
        return read_terminal(self.terminal, _READ_BYTES)

    def said(self, data: bytes) -> Message:
        """Return the message that brings what it printed."""
        return {"say": "data", "id": self.id, "data": base64.b64encode(data).decode()}

    def rest(self) -> bytes:
        """Return what is left to be read of a command that ended."""
        found = bytearray()
        with suppress(BlockingIOError):
            while len(found) < _DRAIN_BYTES_MAX and (data := self.read()):
                found += data
        return bytes(found)

    def hang_up(self) -> None:
        """Kill it, with its session. Only until it is reaped."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(os.getpgid(self.pid), signal.SIGKILL)

    def close(self) -> None:
        """Let go of the terminal: whoever is left at the other end is told that it is gone."""
        os.close(self.terminal)


def read_terminal(terminal: int, count: int) -> bytes:
    """Read as from a pipe: empty where nobody is at the other end any more.

    Raises:
        BlockingIOError: there is nothing now.
    """
    try:
        return os.read(terminal, count)
    except OSError as error:
        if error.errno == errno.EIO:
            return b""
        raise
