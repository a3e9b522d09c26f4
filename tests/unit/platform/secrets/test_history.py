"""The history of secrets: what a version shows, and what nobody can see any more."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ephemera.platform.secrets import history
from ephemera.platform.secrets.records import SecretRecord


def row(name: str, version: int, value: bytes | None = b"x") -> SecretRecord:
    return SecretRecord("app", name, version, value, "", 0.0, 0.0)


def names(rows: list[SecretRecord]) -> list[tuple[str, int]]:
    return [(one.name, one.version) for one in rows]


def test_a_version_shows_the_newest_that_is_not_newer() -> None:
    rows = [row("A", 1), row("A", 3), row("B", 2)]
    assert [names(history.at(rows, version)) for version in range(5)] == [
        [],
        [("A", 1)],
        [("A", 1), ("B", 2)],
        [("A", 3), ("B", 2)],
        [("A", 3), ("B", 2)],
    ]


def test_what_was_removed_is_not_shown_until_it_is_set_again() -> None:
    rows = [row("A", 1), row("A", 2, None), row("A", 4)]
    assert [names(history.at(rows, version)) for version in range(1, 5)] == [
        [("A", 1)],
        [],
        [],
        [("A", 4)],
    ]


def test_only_the_newest_is_kept_where_no_machine_sees_an_older_one() -> None:
    rows = [row("A", 1), row("A", 2), row("A", 3), row("B", 1)]
    assert names(history.superfluous(rows, {3})) == [("A", 1), ("A", 2)]


def test_a_removal_is_kept_only_where_it_hides_something() -> None:
    rows = [row("A", 1), row("A", 2, None)]
    assert names(history.superfluous(rows, {1, 2})) == []
    assert names(history.superfluous(rows, {2})) == [("A", 1), ("A", 2)]


HISTORIES = st.dictionaries(
    st.tuples(st.sampled_from("ABC"), st.integers(1, 8)), st.none() | st.binary(max_size=1)
).map(lambda rows: [row(name, version, rows[name, version]) for name, version in sorted(rows)])


@given(HISTORIES, st.sets(st.integers(0, 9)))
def test_nobody_misses_what_is_dropped_and_nothing_is_kept_that_nobody_sees(
    rows: list[SecretRecord], wanted: set[int]
) -> None:
    dropped = names(history.superfluous(rows, wanted))
    left = [one for one in rows if (one.name, one.version) not in dropped]
    for version in wanted:
        assert history.at(left, version) == history.at(rows, version)
    seen = {one for version in wanted for one in names(history.at(rows, version))}
    assert {(one.name, one.version) for one in left if one.sealed is not None} == seen
    assert history.superfluous(left, wanted) == []
