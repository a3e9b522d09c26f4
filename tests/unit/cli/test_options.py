"""What several commands have in common."""

from __future__ import annotations

import pytest
import typer

from ephemera.cli.options import parsed_duration


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("2h", 7200), ("3", 3), ("0.5", 0.5), (".5", 0.5)]
)
def test_a_duration_is_a_number_of_seconds_or_says_its_units(text: str, seconds: float) -> None:
    assert parsed_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-1", "1.2.3", "nan"])
def test_what_is_no_duration_is_a_wrong_option(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        parsed_duration(text)
