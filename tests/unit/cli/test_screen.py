from __future__ import annotations

import errno
import io
import os

import pytest

from ephemera.cli import screen
from ephemera.errors import ConfigError, EphemeraError


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.04, "0.0s"),
        (59.9, "59.9s"),
        (60, "1m 0s"),
        (3599, "59m 59s"),
        (3600, "1h 0m"),
        (86_399, "23h 59m"),
        (90_000, "1d 1h"),
    ],
)
def test_a_duration_is_shown_with_its_two_greatest_units(seconds: float, shown: str) -> None:
    assert screen.duration(seconds) == shown


def test_a_moment_is_shown_in_utc_and_no_moment_as_nothing() -> None:
    assert screen.when(0) == "1970-01-01T00:00:00Z"
    assert screen.when(None) == ""


@pytest.mark.parametrize(("number", "shown"), [(0, "0 jobs"), (1, "1 job"), (2, "2 jobs")])
def test_what_is_counted_is_in_the_right_number(number: int, shown: str) -> None:
    assert screen.counted(number, "job") == shown


def test_a_table_has_columns_as_wide_as_they_must_be(capsys: pytest.CaptureFixture[str]) -> None:
    screen.say_table(("ID", "NAME"), [("x" * 100, "a"), ("y", "b")])
    assert capsys.readouterr().out.splitlines() == [
        "ID" + " " * 100 + "NAME",
        "x" * 100 + "  a",
        "y" + " " * 101 + "b",
    ]


def test_a_row_of_a_table_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    screen.say_table(("PID", "COMMAND"), [("2", "python3 -c import os\nos.abort()")])
    assert capsys.readouterr().out.splitlines()[1] == r"2    python3 -c import os\nos.abort()"


def test_a_table_without_rows_has_its_titles(capsys: pytest.CaptureFixture[str]) -> None:
    screen.say_table(("ID", "NAME"), [])
    assert capsys.readouterr().out == "ID  NAME\n"


def test_a_record_leaves_out_what_is_empty(capsys: pytest.CaptureFixture[str]) -> None:
    screen.say_record({"id": "1", "outcome": "", "machine": "m"})
    assert capsys.readouterr().out == "id       1\nmachine  m\n"


class Terminal(io.TextIOWrapper):
    """A stream that says it is one."""

    def __init__(self, *, is_one: bool = True, encoding: str = "utf-8") -> None:
        super().__init__(io.BytesIO(), encoding=encoding)
        self._is_one = is_one

    def isatty(self) -> bool:
        return self._is_one


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        ("plain\ttext\nGrüße", "plain\ttext\nGrüße"),
        ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m\x1b[0m"),
        ("\x1b]0;title\x07\x1b[2J\r\x7f", "^[]0;title^G^[[2J^M^?\x1b[0m"),
        ("\x9b2J", "\\x9b2J\x1b[0m"),
    ],
)
def test_a_terminal_gets_colours_and_no_other_orders(written: str, seen: str) -> None:
    assert screen.printable(written, Terminal()) == seen
    assert screen.printable(written, Terminal(is_one=False)) == written


def test_what_an_encoding_does_not_have_is_escaped() -> None:
    assert screen.printable("ü \udc80", Terminal(encoding="ascii")) == "\\xfc \\udc80"
    assert screen.printable("ü \udc80", Terminal(is_one=False)) == "ü \\udc80"


def test_notes_do_not_go_to_the_result_where_there_is_no_stderr(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr", None)
    screen.note("anything")
    assert capsys.readouterr().out == ""


class Full(Terminal):
    """A stream on a disk without room."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_output_that_cannot_be_written_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", Full())
    with pytest.raises(EphemeraError, match="the output cannot be written: No space left"):
        screen.say("anything")


def test_an_error_is_told_on_stderr_with_its_hint(capsys: pytest.CaptureFixture[str]) -> None:
    screen.complain(ConfigError("it is broken", hint="mend it"))
    screen.complain(ConfigError("it is lost"))
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == "error: it is broken\nhint: mend it\nerror: it is lost\n"


def test_colours_are_for_terminals_that_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    assert screen.colours(Terminal())
    assert not screen.colours(io.StringIO())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not screen.colours(Terminal())
