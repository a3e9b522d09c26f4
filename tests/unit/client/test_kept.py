"""Which connection is used again, and which is closed."""

from __future__ import annotations

import httpcore2

from ephemera.client.kept import Kept

HERE = httpcore2.Origin(b"http", b"127.0.0.1", 1)
THERE = httpcore2.Origin(b"http", b"127.0.0.1", 2)


class Connection:
    """Plays a connection of the HTTP library."""

    def __init__(self, origin: httpcore2.Origin) -> None:
        self.origin = origin
        self.available = True
        self.expired = False

    def can_handle_request(self, origin: httpcore2.Origin) -> bool:
        return origin == self.origin

    def is_available(self) -> bool:
        return self.available

    def has_expired(self) -> bool:
        return self.expired


def test_a_connection_is_used_by_one_at_a_time() -> None:
    kept = Kept(Connection)
    first, second = kept.take(HERE), kept.take(HERE)
    assert first is not second


def test_the_one_that_was_used_last_is_used_next() -> None:
    kept = Kept(Connection)
    first, second = kept.take(HERE), kept.take(HERE)
    assert kept.give_back(first) == kept.give_back(second) == []
    assert [kept.take(HERE), kept.take(HERE)] == [second, first]


def test_one_that_broke_is_closed() -> None:
    kept = Kept(Connection)
    broken = kept.take(HERE)
    broken.available = False
    assert kept.give_back(broken) == [broken]
    assert kept.take(HERE) is not broken


def test_one_that_expired_is_not_used_and_closed_at_the_next_occasion() -> None:
    kept = Kept(Connection)
    expired = kept.take(HERE)
    kept.give_back(expired)
    expired.expired = True
    fresh = kept.take(HERE)
    assert fresh is not expired
    assert kept.give_back(fresh) == [expired]


def test_one_to_another_server_is_not_used() -> None:
    kept = Kept(Connection)
    here = kept.take(HERE)
    kept.give_back(here)
    there = kept.take(THERE)
    assert there.origin is THERE
    assert kept.give_back(there) == [here]


def test_those_that_nobody_needs_any_more_are_closed_while_others_are_used() -> None:
    kept = Kept(Connection)
    many = [kept.take(HERE) for _ in range(5)]
    for one in many:
        kept.give_back(one)
    for one in many[:3]:
        one.expired = True
    last = kept.take(HERE)
    assert kept.give_back(last) == many[:3]


def test_at_the_end_all_are_closed_also_those_in_use() -> None:
    kept = Kept(Connection)
    idle, busy = kept.take(HERE), kept.take(HERE)
    kept.give_back(idle)
    assert set(kept.end()) == {idle, busy}
    assert kept.give_back(busy) == [busy]
    assert kept.end() == []
