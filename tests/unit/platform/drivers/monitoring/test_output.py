from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ephemera.platform import logfile
from ephemera.platform.drivers.monitoring.output import LINE_BYTES_MAX, Output, cut


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def pipe() -> tuple[int, int]:
    read, write = os.pipe()
    os.set_blocking(read, False)
    return read, write


def _lines(log: Path) -> list[dict[str, str]]:
    path = Path(logfile.segment_path(str(log), 1))
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _printed(pipe: tuple[int, int], log: Path, *parts: bytes) -> list[dict[str, str]]:
    read, write = pipe
    output = Output(read, str(log), "m1", "local")
    for part in parts:
        os.write(write, part)
        output.read()
    os.close(write)
    output.finish()
    return _lines(log)


def test_a_line_is_an_entry_of_the_app(pipe: tuple[int, int], log: Path) -> None:
    (line,) = _printed(pipe, log, b"hello\n")
    stamp = line.pop("timestamp")
    assert stamp.endswith("Z")
    assert len(stamp) == len("2026-01-02T03:04:05.123456Z")
    assert abs(datetime.fromisoformat(stamp) - datetime.now(UTC)) < timedelta(hours=1)
    assert line == {
        "provider": "app",
        "instance": "m1",
        "region": "local",
        "level": "info",
        "message": "hello",
    }


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([b"a\nb\n"], ["a", "b"]),
        ([b"a", b"b\nc"], ["ab", "c"]),
        ([b"a\r\n\n"], ["a", ""]),
        ([b"\xff\xc3", b"\xa4\n"], ["\ufffdä"]),
        ([], []),
    ],
)
def test_lines_are_found_however_they_arrive(
    parts: list[bytes], expected: list[str], pipe: tuple[int, int], log: Path
) -> None:
    assert [line["message"] for line in _printed(pipe, log, *parts)] == expected


def test_a_long_line_is_cut_between_characters() -> None:
    line = ("x" + "ä" * LINE_BYTES_MAX).encode()
    pieces = cut(line)
    assert b"".join(pieces) == line
    assert max(map(len, pieces)) <= LINE_BYTES_MAX
    assert "".join(piece.decode() for piece in pieces) == line.decode()


def test_bytes_that_are_no_text_are_cut_all_the_same() -> None:
    pieces = cut(b"\x80" * 3 * LINE_BYTES_MAX)
    assert sum(map(len, pieces)) == 3 * LINE_BYTES_MAX
    assert max(map(len, pieces)) <= LINE_BYTES_MAX


def test_lines_that_found_no_room_are_counted_and_told(
    pipe: tuple[int, int], log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, write = pipe
    output = Output(read, str(log), "m1", "local")

    def no_room(folder: str, lines: bytes) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(logfile, "append", no_room)
        os.write(write, b"a\nb\n")
        output.read()
    os.write(write, b"c\n")
    output.read()
    os.close(write)
    output.finish()
    told, line = _lines(log)
    assert (told["provider"], told["level"]) == ("runner", "warning")
    assert told["message"].startswith("2 lines")
    assert line["message"] == "c"


def test_a_pipe_that_somebody_else_holds_open_is_not_waited_for(
    pipe: tuple[int, int], log: Path
) -> None:
    read, write = pipe
    os.write(write, b"last")
    Output(read, str(log), "m1", "local").finish()
    os.close(write)
    assert [line["message"] for line in _lines(log)] == ["last"]
