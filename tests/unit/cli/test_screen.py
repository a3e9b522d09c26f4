from __future__ import annotations

import io

import pytest

from ephemera.cli import screen
from ephemera.errors import ConfigError


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


def test_a_table_without_rows_has_its_titles(capsys: pytest.CaptureFixture[str]) -> None:
    screen.say_table(("ID", "NAME"), [])
    assert capsys.readouterr().out == "ID  NAME\n"


def test_a_record_leaves_out_what_is_empty(capsys: pytest.CaptureFixture[str]) -> None:
    screen.say_record({"id": "1", "outcome": "", "machine": "m"})
    assert capsys.readouterr().out == "id       1\nmachine  m\n"


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
