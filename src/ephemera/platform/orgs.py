"""Lists over all apps of an organisation, one page at a time.

Pages are ordered by when something changed last, oldest first. A cursor is the place after the
last row of a page: what changes between two pages moves to the end of the list, so a reader may
meet it twice and never misses it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Generic, Protocol, TypeVar

from ephemera.platform import cursors

#: Source: the API's document.
PAGE_ROWS_MAX = 1000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

#: A place in the list: after the row with this `updated_at` and this id.
Place = tuple[float, str]
START: Place = (-math.inf, "")


class Row(Protocol):
    """What can be in such a list."""

    @property
    def id(self) -> str:
        """Tells it from others that changed at the same time."""
        ...

    @property
    def updated_at(self) -> float:
        """When it changed last; seconds since 1970."""
        ...

    @property
    def region(self) -> str:
        """Where it is."""
        ...

    @property
    def state(self) -> str:
        """In which state it is."""
        ...


RowT = TypeVar("RowT", bound=Row)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a reader asks for."""

    after: Place
    limit: int
    #: Empty for all.
    region: str
    #: Empty for all.
    states: frozenset[str]

    def __call__(self, row: Row) -> bool:
        """Return whether a row is on this page or a later one."""
        return (
            place_of(row) > self.after
            and self.region in ("", row.region)
            and (not self.states or row.state in self.states)
        )


@dataclass(frozen=True, slots=True)
class Page(Generic[RowT]):
    """Some rows, and where the next ones are."""

    rows: Sequence[RowT]
    #: Empty where these are the last.
    next_cursor: str


def page(rows: Iterable[RowT], wanted: Wanted) -> Page[RowT]:
    """Return the wanted rows that come next.

    Args:
        rows: In any order. Of those that come next, as many as fit on a page and one more.
    """
    found = sorted(filter(wanted, rows), key=place_of)
    shown = found[: wanted.limit]
    more = len(found) > len(shown)
    return Page(shown, cursors.written(*place_of(shown[-1])) if more else "")


def place_of(row: Row) -> Place:
    """Return where a row is in the list."""
    return row.updated_at, row.id


def place_after(moment: datetime) -> Place:
    """Return the place after everything that shows this moment, or an earlier one, as its own.

    What is stored is finer than the microseconds that are shown: a reader who asks for what
    changed after the last row is not given that row again.
    """
    if moment < _EPOCH:  # nothing is that old, and floats around 0 are too many to go through
        return START
    shown = (moment - _EPOCH) // timedelta(microseconds=1)
    first = (shown + 1) / 1e6
    while _shown(first) <= shown:
        first = math.nextafter(first, math.inf)
    while _shown(earlier := math.nextafter(first, -math.inf)) > shown:
        first = earlier
    return first, ""


def _shown(seconds: float) -> int:
    """Return the microseconds since 1970 that `logs.timestamp` writes."""
    whole = int(seconds)
    return whole * 1_000_000 + min(int((seconds - whole) * 1e6), 999_999)
