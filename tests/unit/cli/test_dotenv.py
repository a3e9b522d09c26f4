from __future__ import annotations

import pytest

from ephemera.cli.dotenv import parse
from ephemera.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A=1", {"A": "1"}),
        ("A=1\nB=2\n", {"A": "1", "B": "2"}),
        ("A=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
        ("\n  # why\nA=1\n\n", {"A": "1"}),
        ("export A=1", {"A": "1"}),
        ("A = 1", {"A": "1"}),
        ("A=", {"A": ""}),
        ("A=1\nA=2", {"A": "2"}),
        ("A=x=y==", {"A": "x=y=="}),
        ("A=two words  ", {"A": "two words"}),
        ("A=two words # why", {"A": "two words"}),
        ("A=pa#ss", {"A": "pa#ss"}),
        ("A=it's", {"A": "it's"}),
        ("A=# why", {"A": "# why"}),
        ("A= # why", {"A": ""}),
        ("A='$B # c'", {"A": "$B # c"}),
        ("A='x' # why", {"A": "x"}),
        ('A="x\\ty\\"z\\\\"', {"A": 'x\ty"z\\'}),
        ('A="one\ntwo"\nB=2', {"A": "one\ntwo", "B": "2"}),
        ("A='one\ntwo'\nB=2", {"A": "one\ntwo", "B": "2"}),
        ('A="""\n{"k": "v"}\n"""\nB=2', {"A": '{"k": "v"}\n', "B": "2"}),
        ("A=${B}", {"A": "${B}"}),
        ("\ufeffA=1", {"A": "1"}),
        ("", {}),
        ("# nothing", {}),
    ],
)
def test_variables_are_read_as_a_env_file_has_them(text: str, found: dict[str, str]) -> None:
    assert parse(text, "a file") == found


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("A=1\nhunter2", 2),
        ("=hunter2", 1),
        ('A=1\n\nB="hunter2', 3),
        ("A='hunter2' more", 1),
        ("{'hunter2': 1}", 1),
    ],
)
def test_a_line_that_is_no_variable_is_named_and_not_shown(text: str, line: int) -> None:
    with pytest.raises(ConfigError, match=f"line {line} of a file") as wrong:
        parse(text, "a file")
    assert "hunter2" not in str(wrong.value)


def test_reading_a_long_text_takes_no_more_than_its_length() -> None:
    with pytest.raises(ConfigError):
        parse('A="' + "x " * 100_000, "a file")
    with pytest.raises(ConfigError):
        parse(" " * 50_000 + "x", "a file")
    assert parse("A=" + "x " * 50_000, "a file")
