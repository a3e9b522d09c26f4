"""The command line as somebody at a terminal uses it: keys go in, a screen comes out."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.acceptance.command_line import CommandLine

_SHOWN_WITHIN_S = 30
_DONE_WITHIN_S = 30


class Seat:
    """A terminal at which a command runs. Made by `seated`.

    Attributes:
        shown: What the screen has shown until now.
    """

    def __init__(
        self, process: subprocess.Popen[bytes], keyboard: int, line: int, before: list[Any]
    ) -> None:
        self.shown = b""
        self._process = process
        self._keyboard = keyboard
        self._line = line
        self._before = before

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._keyboard, keys.encode())

    def see(self, text: str) -> str:
        """Return what is shown up to `text`, which is taken off what was shown."""
        deadline = time.monotonic() + _SHOWN_WITHIN_S
        while text.encode() not in self.shown:
            assert self._show_more(deadline), f"never saw {text!r} in {self.shown!r}"
        seen, _, self.shown = self.shown.partition(text.encode())
        return seen.decode(errors="replace") + text

    def resize(self, rows: int, columns: int) -> None:
        """Make the window of another size, and tell the command as a terminal does."""
        fcntl.ioctl(self._line, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self._process.send_signal(signal.SIGWINCH)

    def send(self, signum: int) -> None:
        """Send the command a signal."""
        self._process.send_signal(signum)

    def is_raw(self) -> bool:
        """Whether keys are passed on one by one, and not shown."""
        return not termios.tcgetattr(self._line)[3] & (termios.ICANON | termios.ECHO)

    def until_raw(self) -> None:
        """Return once the command has made the terminal its own."""
        deadline = time.monotonic() + _SHOWN_WITHIN_S
        while not self.is_raw():
            assert time.monotonic() < deadline, f"it is as it was, and shows {self.shown!r}"
            time.sleep(0.01)

    def is_restored(self) -> bool:
        """Whether the terminal is as it was before."""
        return termios.tcgetattr(self._line) == self._before

    def restore(self) -> None:
        """Make the terminal as it was before, as a shell does after a command that was killed."""
        termios.tcsetattr(self._line, termios.TCSANOW, self._before)

    def end(self) -> int:
        """Return the exit status of the command, once it has ended."""
        deadline = time.monotonic() + _DONE_WITHIN_S
        while self._process.poll() is None:
            self._show_more(time.monotonic() + 0.05)  # it may wait for its screen
            assert time.monotonic() < deadline, f"it runs on, having shown {self.shown!r}"
        while self._show_more(time.monotonic()):
            pass
        return self._process.returncode

    def _show_more(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._keyboard], [], [], max(0, deadline - time.monotonic()))
        if ready:
            self.shown += os.read(self._keyboard, 65536)
        return bool(ready)


@contextmanager
def seated(ephemera: CommandLine, *arguments: str) -> Iterator[Seat]:
    """Run a command at a terminal of 24 rows and 80 columns; at the end it runs no more."""
    keyboard, line = pty.openpty()
    fcntl.ioctl(line, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    before = termios.tcgetattr(line)
    process = subprocess.Popen(
        [sys.executable, "-m", "ephemera", *arguments],
        env={**ephemera.environment, "TERM": "dumb"},
        stdin=line,
        stdout=line,
        stderr=line,
        start_new_session=True,
    )
    seat = Seat(process, keyboard, line, before)
    try:
        with process:
            try:
                yield seat
            finally:
                process.kill()
        assert seat.is_restored(), "the terminal is not as it was"
    finally:
        os.close(keyboard)
        os.close(line)
