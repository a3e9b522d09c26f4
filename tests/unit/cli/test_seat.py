"""A terminal's lines where nobody sits at one, and the size that it has."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, redirect_stdout
from pathlib import Path

import pytest

from ephemera.cli import seat
from ephemera.errors import ConfigError, NoAnswer


class Played:
    """A terminal that shows these pieces and ends."""

    def __init__(self, *pieces: bytes, exit_code: int = 0, breaks: bool = False) -> None:
        self.exit_code: int | None = None
        self.is_closed = False
        self._pieces = list(pieces)
        self._ends = exit_code
        self._breaks = breaks

    async def read(self) -> bytes:
        if self._pieces:
            return self._pieces.pop(0)
        if self._breaks:
            raise NoAnswer("it broke")
        self.exit_code = self._ends
        return b""

    async def write(self, data: bytes) -> None:
        raise AssertionError("nobody types")

    async def resize(self, rows: int, columns: int) -> None:
        raise AssertionError("nobody sits there")

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Played]:
        try:
            yield self
        finally:
            self.is_closed = True


@contextmanager
def nobody_sits(screen: Path) -> Iterator[None]:
    """Have what is shown go to a file, with no keyboard."""
    with (
        screen.open("w") as shown,
        Path(os.devnull).open() as nothing,
        redirect_stdout(shown),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr("sys.stdin", nothing)
        yield


def test_lines_end_as_in_files_also_where_a_piece_ends_between(tmp_path: Path) -> None:
    played = Played(b"one\r", b"\ntwo\r\n", b"100%\rdone\r\n", exit_code=4)
    with nobody_sits(tmp_path / "screen"):
        assert seat.join(played.opened()) == 4
    assert (tmp_path / "screen").read_bytes() == b"one\ntwo\n100%\rdone\n"
    assert played.is_closed


def test_what_breaks_is_told_and_closed(tmp_path: Path) -> None:
    played = Played(b"half", breaks=True)
    with nobody_sits(tmp_path / "screen"), pytest.raises(NoAnswer):
        seat.join(played.opened())
    assert (tmp_path / "screen").read_bytes() == b"half"
    assert played.is_closed


def test_a_last_carriage_return_is_shown(tmp_path: Path) -> None:
    with nobody_sits(tmp_path / "screen"):
        assert seat.join(Played(b"50%\r").opened()) == 0
    assert (tmp_path / "screen").read_bytes() == b"50%\r"


def test_who_does_not_sit_at_a_terminal_is_told(tmp_path: Path) -> None:
    with nobody_sits(tmp_path / "screen"):
        with pytest.raises(ConfigError, match="standard input is not a terminal"):
            seat.check_taken("do something else")
        assert seat.size() == (24, 80)
