"""Turns what a program prints into lines of its app's log. Standard library only."""

from __future__ import annotations

import json
import os
import time

from ephemera.platform import logfile
from ephemera.platform.drivers.monitoring.consoles import read_terminal

#: A longer line is cut into several: what reads the log holds whole lines in memory.
LINE_BYTES_MAX = 16 * 1024
#: What is read of the pipe at once; Linux pipes hold 64 KiB.
_READ_BYTES = 64 * 1024
#: A pipe of the dead holds no more than its capacity, on Linux 1 MiB at most. Whoever else got
#: hold of it may write for ever, and is not waited for.
_DRAIN_BYTES_MAX = 1024 * 1024


def cut(line: bytes) -> list[bytes]:
    """Return the line in pieces of at most `LINE_BYTES_MAX`, no character torn apart."""
    pieces = []
    while len(line) > LINE_BYTES_MAX:
        end = LINE_BYTES_MAX
        # the second to fourth byte of a character in UTF-8 is 0b10......
        while end > LINE_BYTES_MAX - 4 and line[end] & 0xC0 == 0x80:
            end -= 1
        pieces.append(line[:end])
        line = line[end:]
    return [*pieces, line]


class Output:
    """The pipe of one program, read and appended to the log.

    Args:
        pipe: The end to read from, not blocking.
        log_folder: The folder of segments; empty to drop everything.
        instance: The machine's id, for the lines.
        region: Its region, for the lines.
    """

    def __init__(self, pipe: int, log_folder: str, instance: str, region: str) -> None:
        self.pipe = pipe
        self._log_folder = log_folder
        self._instance = instance
        self._region = region
        self._rest = b""
        self._lost_lines = 0

    def read(self) -> int:
        """Read what there is and log the lines that are complete.

        Returns:
            How many bytes there were; 0 when nobody can write to the pipe any more.

        Raises:
            BlockingIOError: there is nothing now.
        """
        data = read_terminal(self.pipe, _READ_BYTES)  # or a pipe
        *lines, self._rest = (self._rest + data).split(b"\n")
        *pieces, self._rest = cut(self._rest)
        self._log([piece for line in lines for piece in cut(line.removesuffix(b"\r"))] + pieces)
        return len(data)

    def finish(self) -> None:
        """Log what is left when every process is dead, also a last line without its end."""
        try:
            left = _DRAIN_BYTES_MAX
            while left > 0 and (count := self.read()):
                left -= count
        except BlockingIOError:
            pass  # somebody outside of the machine keeps the pipe open, and it is empty
        os.close(self.pipe)
        self._log([self._rest] if self._rest or self._lost_lines else [])

    def _log(self, lines: list[bytes]) -> None:
        if not lines or not self._log_folder:
            return
        said = [self._entry("app", "info", line.decode(errors="replace")) for line in lines]
        if self._lost_lines:
            lost = f"{self._lost_lines} lines could not be written to the log and are lost"
            said.insert(0, self._entry("runner", "warning", lost))
        try:
            logfile.append(self._log_folder, b"".join(said))
            self._lost_lines = 0
        except OSError:  # a full disk must not end the machine: say so when there is room
            self._lost_lines += len(lines)

    def _entry(self, provider: str, level: str, message: str) -> bytes:
        entry = {
            "timestamp": _now(),
            "provider": provider,
            "instance": self._instance,
            "region": self._region,
            "level": level,
            "message": message,
        }
        return json.dumps(entry).encode() + b"\n"


def _now() -> str:
    """Return the time as RFC 3339 has it, without what would make every monitor the larger."""
    seconds, rest = divmod(time.time_ns(), 1_000_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest // 1000:06}Z"
