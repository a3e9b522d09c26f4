"""The log streams: one per app, kept when its machines are gone, followed by long polls.

The lines live in the segments of `logfile.py`. A page of lines is answered with a token, which
is the place in the segments where the next page begins; a caller who sends it back and is
willing to wait is held until somebody appends.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from ephemera.platform import logfile
from ephemera.platform.appending import Appender
from ephemera.wire.models import LogEntry

_log = logging.getLogger(__name__)

#: How many lines one page holds at most, and how many a stream without a token begins with.
PAGE_LINES = 500
TAIL_LINES = 100
#: How many lines are looked at in one go; the loop has other things to do.
SCAN_LINES = 10_000
#: How far back the beginning of a tail is looked for.
_TAIL_BYTES = 1024 * 1024
#: Logs that are kept open to be written to; each takes two descriptors.
_OPEN_MAX = 32
_CHUNK_BYTES = 256 * 1024


class Cursor(NamedTuple):
    """A place in a stream; `str()` of it is what travels."""

    segment: int
    offset: int

    def __str__(self) -> str:
        return f"{self.segment}:{self.offset}"

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Read what `str()` wrote.

        Raises:
            ValueError: it is not such a text.
        """
        segment, _, offset = text.partition(":")
        if not (segment.isascii() and segment.isdigit() and offset.isascii() and offset.isdigit()):
            raise ValueError(f"'{text}' is not a token of this log")
        return cls(int(segment[:12]), int(offset[:18]))


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines a reader wants; empty means any."""

    machine: str = ""
    region: str = ""

    def __call__(self, entry: LogEntry) -> bool:
        """Return whether a line is one of them."""
        return self.machine in ("", entry.instance) and self.region in ("", entry.region)


def timestamp(seconds: float) -> str:
    """Return RFC 3339 in UTC with microseconds."""
    whole = int(seconds)
    micros = min(int((seconds - whole) * 1e6), 999_999)
    return f"{_second(whole)}.{micros:06d}Z"


@lru_cache(maxsize=16)
def _second(seconds: int) -> str:
    """Return RFC 3339 without what follows the seconds. Many things happen in the same one."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


class Logs:
    """Writes the platform's own lines and reads everybody's."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._folder = str(folder)
        self._clock = clock
        self._closed = False
        #: Of the logs that were written to last, the newest behind.
        self._appenders: OrderedDict[str, Appender] = OrderedDict()
        self._readers: dict[str, set[asyncio.Future[None]]] = {}

    def folder(self, app_id: str) -> str:
        """Return where the lines of an app are; monitors append there by themselves."""
        return f"{self._folder}/{app_id}"

    def say(
        self,
        app_id: str,
        machine_id: str,
        region: str,
        message: str,
        level: str = "info",
        *,
        provider: str = "runner",
    ) -> None:
        """Append a line of the platform's own.

        Args:
            provider: `runner` for what it did with a machine, `health` for what a check found.
        """
        line = {
            "timestamp": timestamp(self._clock()),
            "provider": provider,
            "instance": machine_id,
            "region": region,
            "level": level,
            "message": message,
        }
        try:
            self._appender(app_id).append(json.dumps(line).encode() + b"\n")
        except OSError:  # a full disk costs a line of the log, not what the line is about
            _log.exception("machine %s: a line of the log is lost: %s", machine_id, message)
        self.appended(app_id)

    def _appender(self, app_id: str) -> Appender:
        if app_id not in self._appenders:
            self._appenders[app_id] = Appender(self.folder(app_id))
            if len(self._appenders) > _OPEN_MAX:
                self._appenders.popitem(last=False)[1].close()
        self._appenders.move_to_end(app_id)
        return self._appenders[app_id]

    def appended(self, app_id: str) -> None:
        """Wake those who wait for lines of this app."""
        for reader in self._readers.pop(app_id, ()):
            if not reader.done():
                reader.set_result(None)

    async def drop(self, app_id: str) -> None:
        """Delete the stream of an app that is gone. Repeating is safe.

        Raises:
            OSError: some of it is left.
        """
        self.appended(app_id)
        if known := self._appenders.pop(app_id, None):
            known.close()
        await asyncio.to_thread(_remove, self.folder(app_id))

    def end(self, app_id: str) -> Cursor:
        """Return the place after the last line."""
        known = self._appenders.get(app_id)
        if known and (end := known.end()):
            return Cursor(*end)
        folder = self.folder(app_id)
        newest = (logfile.segments(folder) or [1])[-1]
        try:
            return Cursor(newest, os.path.getsize(logfile.segment_path(folder, newest)))
        except FileNotFoundError:
            return Cursor(newest, 0)

    def tail(self, app_id: str, wanted: Wanted) -> tuple[list[LogEntry], Cursor]:
        """Return the last lines, at most `TAIL_LINES`, and the place after them."""
        end = self.end(app_id)
        lines: deque[LogEntry] = deque(maxlen=TAIL_LINES)
        for entry, after in self._read(app_id, self._back_from(app_id, end)):
            end = after
            if wanted(entry):
                lines.append(entry)
        return list(lines), end

    def page(self, app_id: str, begin: Cursor, wanted: Wanted) -> tuple[list[LogEntry], Cursor]:
        """Return the wanted ones of the next lines, and the place after those looked at."""
        lines: list[LogEntry] = []
        end = begin
        for entry, after in islice(self._read(app_id, begin), SCAN_LINES):
            end = after
            if wanted(entry):
                lines.append(entry)
                if len(lines) == PAGE_LINES:
                    break
        return lines, end

    async def more(
        self, app_id: str, begin: Cursor, wanted: Wanted, *, timeout: float
    ) -> tuple[list[LogEntry], Cursor]:
        """Return a page as `page` does, held until there is a line or `timeout` seconds passed.

        An empty page means that there is no more, however many lines of others were passed over.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while True:
            # Enlisted before reading: a line appended in between wakes us all the same.
            with self._enlisted(app_id) as woken:
                lines, end = self.page(app_id, begin, wanted)
                at_the_end = begin == end
                left = 0.0 if self._closed else deadline - loop.time()
                if not lines and (left > 0 or not at_the_end):
                    await asyncio.wait([woken], timeout=left if at_the_end else 0)
            begin = end
            if lines or (left <= 0 and at_the_end):
                return lines, begin

    def release(self) -> None:
        """Send all readers away, now and from now on; the server is about to stop."""
        self._closed = True
        for app_id in list(self._readers):
            self.appended(app_id)

    @contextmanager
    def _enlisted(self, app_id: str) -> Iterator[asyncio.Future[None]]:
        """Have a future that is done when a line is appended; within the block."""
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._readers.setdefault(app_id, set()).add(woken)
        try:
            yield woken
        finally:
            readers = self._readers.get(app_id, set())
            readers.discard(woken)
            if not readers:
                self._readers.pop(app_id, None)

    def _back_from(self, app_id: str, end: Cursor) -> Cursor:
        folder = self.folder(app_id)
        with suppress(FileNotFoundError):  # there is no older one, or it has just gone
            if end.offset >= _TAIL_BYTES:
                return _line_start(folder, Cursor(end.segment, end.offset - _TAIL_BYTES))
            older = end.segment - 1
            size = os.path.getsize(logfile.segment_path(folder, older))
            return _line_start(folder, Cursor(older, max(0, size - _TAIL_BYTES)))
        return Cursor(end.segment, 0)

    def _read(self, app_id: str, begin: Cursor) -> Iterator[tuple[LogEntry, Cursor]]:
        """Yield each whole line from a place on, with the place after it."""
        folder = self.folder(app_id)
        for segment in logfile.segments(folder):
            if segment < begin.segment:
                continue
            offset = begin.offset if segment == begin.segment else 0
            for line, end in _lines(logfile.segment_path(folder, segment), offset):
                entry = _entry(line)
                if entry:
                    yield entry, Cursor(segment, end)


def _remove(folder: str) -> None:
    with suppress(FileNotFoundError):  # an app that never had a line
        shutil.rmtree(folder)


def _lines(path: str, offset: int) -> Iterator[tuple[bytes, int]]:
    """Yield each whole line of a segment; none of one that was the oldest and has just gone."""
    with suppress(FileNotFoundError), Path(path).open("rb", buffering=_CHUNK_BYTES) as file:
        file.seek(offset)
        for line in file:
            if not line.endswith(b"\n"):
                return  # still being written
            offset += len(line)
            yield line, offset


def _line_start(folder: str, place: Cursor) -> Cursor:
    if place.offset == 0:
        return place
    with Path(logfile.segment_path(folder, place.segment)).open("rb") as file:
        file.seek(place.offset - 1)
        return Cursor(place.segment, place.offset - 1 + len(file.readline()))


def _entry(line: bytes) -> LogEntry | None:
    """Return the line, or None for what a full disk cut off."""
    try:
        found: dict[str, Any] = json.loads(line)
        return LogEntry.model_construct(**found)
    except (ValueError, TypeError):
        return None
