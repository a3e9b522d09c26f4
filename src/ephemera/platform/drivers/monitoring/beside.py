"""A command that runs beside the machine's program, as `exec` asks. Standard library only."""

from __future__ import annotations

import base64
import math
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress

from ephemera.platform.drivers.monitoring.frames import Message
from ephemera.platform.drivers.monitoring.program import NotStarted

#: Of each of the two streams; what is more is read and dropped, so that the command can end.
OUTPUT_BYTES_MAX = 1024 * 1024
_READ_BYTES = 64 * 1024


def how_it_ended(status: int) -> tuple[int, int]:
    """Return exit code and signal for a wait status: 128 + n and n, or the code and 0."""
    code = os.waitstatus_to_exitcode(status)
    return (128 - code, -code) if code < 0 else (code, 0)


class Command:
    """One command from its start to its answer.

    It ends when its own process ends: what it leaves in the background is the machine's from
    then on, and ends with the machine.
    """

    def __init__(self, request: Message, start: Callable[[tuple[int, int, int]], int]) -> None:
        """Start the command.

        Args:
            start: Executes it with these as its standard streams, in a group of its own, and
                returns its pid.

        Raises:
            NotStarted, OSError: it cannot be; nothing is left.
        """
        self.deadline = time.monotonic() + request["timeout"]
        self._id = request["id"]
        self._input = memoryview(base64.b64decode(request["stdin"]))
        self._timed_out = False
        pipes = _three_pipes()
        theirs = (pipes[0][0], pipes[1][1], pipes[2][1])
        self.stdin: int | None = pipes[0][1]
        self.printed = {pipes[1][0]: bytearray(), pipes[2][0]: bytearray()}
        try:
            self.pid = start(theirs)
        except (NotStarted, OSError):
            self._close()
            raise
        finally:
            for one in theirs:
                os.close(one)
        for one in self.pipes():
            os.set_blocking(one, False)

    def feed(self) -> bool:
        """Write some of the input; whether there is more, else the pipe is closed."""
        if self.stdin is None:
            return False
        try:
            if self._input:
                self._input = self._input[os.write(self.stdin, self._input) :]
        except BlockingIOError:
            return True
        except BrokenPipeError:  # it does not read all of its input, as is its right
            self._input = memoryview(b"")
        if self._input:
            return True
        os.close(self.stdin)
        self.stdin = None
        return False

    def pipes(self) -> list[int]:
        """Return the descriptors that are open."""
        return [*self.printed] if self.stdin is None else [self.stdin, *self.printed]

    def read(self, pipe: int) -> bool:
        """Read some of what it printed; whether there may be more, ever.

        Raises:
            BlockingIOError: there is nothing now.
        """
        data = os.read(pipe, _READ_BYTES)
        kept = self.printed[pipe]
        kept += data[: OUTPUT_BYTES_MAX - len(kept)]
        return bool(data)

    def time_out(self) -> None:
        """Kill it because its time is up."""
        self._timed_out = True
        self.deadline = math.inf
        self.kill()

    def kill(self) -> None:
        """Kill it, and everything in its process group. Only until it is reaped."""
        with suppress(PermissionError):  # it became another user's: its own end is waited for
            os.killpg(os.getpgid(self.pid), signal.SIGKILL)

    def answer(self, status: int) -> Message:
        """Close what is open and return the answer, for a command that was reaped."""
        for pipe in self.printed:
            self._read_rest(pipe)
        self._close()
        exit_code, exit_signal = how_it_ended(status)
        stdout, stderr = (base64.b64encode(kept).decode() for kept in self.printed.values())
        return {
            "say": "done",
            "id": self._id,
            "exit_code": exit_code,
            "exit_signal": exit_signal,
            "stdout": stdout,
            "stderr": stderr,
            "timed_out": self._timed_out,
        }

    def _read_rest(self, pipe: int) -> None:
        try:
            # a process in the background may print for ever: no more than could be kept anyway
            for _ in range(OUTPUT_BYTES_MAX // _READ_BYTES):
                if not self.read(pipe):
                    return
        except BlockingIOError:
            return

    def _close(self) -> None:
        for pipe in self.pipes():
            os.close(pipe)


def _three_pipes() -> list[tuple[int, int]]:
    """Return three pipes, or none.

    Raises:
        OSError: this process may open no more.
    """
    made = list[tuple[int, int]]()
    try:
        while len(made) < 3:
            made.append(os.pipe())
    except OSError:
        for one in (end for pipe in made for end in pipe):
            os.close(one)
        raise
    return made
