from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ephemera.platform import cursors, orgs
from ephemera.platform.logs import timestamp
from ephemera.platform.orgs import START, Place, Wanted
from ephemera.platform.refusals import Refusal

NOW = 1_700_000_000.25


@dataclass(frozen=True)
class Thing:
    """Something in a list."""

    id: str
    updated_at: float = NOW
    region: str = "iad"
    state: str = "started"


def wanted(
    after: Place = START, limit: int = 10, region: str = "", states: Sequence[str] = ()
) -> Wanted:
    return Wanted(after, limit, region, frozenset(states))


def ids(things: Sequence[Thing], want: Wanted) -> list[str]:
    return [one.id for one in orgs.page(things, want).rows]


def pages(things: Sequence[Thing], limit: int) -> Iterator[list[str]]:
    """Yield the ids of each page, as a reader sees them who follows the cursors."""
    after = START
    while True:
        found = orgs.page(things, wanted(after, limit))
        yield [one.id for one in found.rows]
        if not found.next_cursor:
            return
        updated_at, row_id = cursors.read(found.next_cursor, float, str)
        after = (updated_at, row_id)


def test_rows_come_in_the_order_in_which_they_changed() -> None:
    things = [Thing("c", NOW + 2), Thing("a", NOW + 1), Thing("b", NOW)]
    assert ids(things, wanted()) == ["b", "a", "c"]


@given(
    times=st.lists(st.sampled_from([NOW, NOW + 1e-7, NOW + 1e-6, NOW + 5.0]), max_size=12),
    limit=st.integers(1, 5),
)
def test_cursors_lead_to_each_row_once_also_among_those_of_the_same_time(
    times: list[float], limit: int
) -> None:
    things = [Thing(f"m{number:02}", moment) for number, moment in enumerate(times)]
    read = [one for page in pages(things, limit) for one in page]
    assert sorted(read) == [one.id for one in things]


def test_a_full_page_that_is_the_last_says_so() -> None:
    things = [Thing("a"), Thing("b")]
    assert orgs.page(things, wanted(limit=2)).next_cursor == ""
    assert orgs.page(things, wanted(limit=1)).next_cursor


def test_a_row_that_changes_between_two_pages_is_never_missed() -> None:
    things = [Thing("a", NOW), Thing("b", NOW + 1), Thing("c", NOW + 2)]
    first = orgs.page(things, wanted(limit=1))
    updated_at, row_id = cursors.read(first.next_cursor, float, str)
    things[1] = Thing("b", NOW + 3)
    assert ids(things, wanted((updated_at, row_id))) == ["c", "b"]


def test_rows_are_filtered_by_region_and_by_any_of_the_states() -> None:
    things = [Thing("a", region="fra"), Thing("b", state="stopped"), Thing("c", state="failed")]
    assert ids(things, wanted(region="fra")) == ["a"]
    assert ids(things, wanted(states=["stopped", "failed"])) == ["b", "c"]
    assert ids(things, wanted(region="fra", states=["stopped"])) == []


@given(st.floats(1.0e9, 4.0e9))
def test_who_asks_for_what_changed_after_the_last_row_is_not_given_it_again(moment: float) -> None:
    shown = datetime.fromisoformat(timestamp(moment))
    after = orgs.place_after(shown)
    assert Thing("z", moment).updated_at < after[0]
    assert orgs.place_of(Thing("a", moment + 3e-6)) > after


def test_a_moment_in_another_time_zone_is_the_same_moment() -> None:
    utc = datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert orgs.place_after(utc) == orgs.place_after(datetime.fromisoformat("2026-01-01T14:00+02"))


@pytest.mark.parametrize("microseconds", [1, 2, 10**6, 10**15])
def test_before_computers_count_there_is_nothing_to_leave_out(microseconds: int) -> None:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    assert orgs.place_after(epoch - timedelta(microseconds=microseconds)) == START


@pytest.mark.parametrize(
    "text",
    [
        *("", "x", "=", "é", "W10", "WzEsMl0", "WyJhIiwiYiJd", "eyJhIjoxfQ", "A" * 2000, "[1.0,"),
        *("\0", cursors.written(1.5, "\ud800")),
    ],
)
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(Refusal, match="cursor"):
        cursors.read(text, float, str)


def test_a_cursor_gives_back_what_it_was_made_of() -> None:
    assert cursors.read(cursors.written(NOW, "a/é"), float, str) == [NOW, "a/é"]
    with pytest.raises(Refusal):
        cursors.read(cursors.written("a"), float, str)
