from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ephemera.wire.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("10s", 10),
        ("1m30s", 90),
        ("1h", 3600),
        ("300ms", 0.3),
        ("1.5s", 1.5),
        ("2us", 2e-6),
        ("5µs", 5e-6),
        ("10", 10),
        (10, 10),
        (0.5, 0.5),
        (10_000_000_000, 10),
        (0, 0),
        ("0s", 0),
    ],
)
def test_every_form_of_a_duration_is_read(written: str | float, seconds: float) -> None:
    assert parse_duration(written) == pytest.approx(seconds)


def test_a_text_of_any_length_is_read_at_once() -> None:
    with pytest.raises(ValueError, match="1000000 characters"):
        parse_duration("1" * 1_000_000)


@pytest.mark.parametrize(
    "written",
    ["", "s", "10x", "-1s", "1s 2s", "1sm", True, -1, float("nan"), float("inf"), 2**63, 10**400],
)
def test_what_is_not_a_duration_is_refused_by_name(written: str | float) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(written)


@given(st.integers(min_value=0, max_value=10**9))
def test_a_written_duration_reads_back(milliseconds: int) -> None:
    seconds = milliseconds / 1000
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds, abs=1e-3)


@given(st.text())
def test_no_text_breaks_the_reader(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert parse_duration(text) >= 0
