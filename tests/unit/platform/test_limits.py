"""Token buckets: what they let through, when they say there is room again, and their memory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ephemera.platform import limits
from ephemera.platform.limits import DELETE_APP, GET_MACHINE, USUAL, Buckets, Rate


class _Time:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> _Time:
    return _Time()


@pytest.fixture
def buckets(time: _Time) -> Buckets:
    return Buckets(time)


def _taken(buckets: Buckets, key: str, rate: Rate, tries: int) -> int:
    return sum(not buckets.take(key, rate) for _ in range(tries))


@pytest.mark.parametrize("rate", [USUAL, GET_MACHINE, DELETE_APP])
def test_a_fresh_bucket_holds_the_burst_and_not_one_more(buckets: Buckets, rate: Rate) -> None:
    assert _taken(buckets, "key", rate, rate.burst + 5) == rate.burst


@pytest.mark.parametrize("rate", [USUAL, GET_MACHINE, DELETE_APP])
def test_an_empty_bucket_has_a_token_again_when_it_said_so(
    buckets: Buckets, time: _Time, rate: Rate
) -> None:
    _taken(buckets, "key", rate, rate.burst)
    wait = buckets.take("key", rate)
    assert wait == pytest.approx(1 / rate.per_second, abs=0.001)
    time.now += wait * 0.9
    assert buckets.take("key", rate)
    time.now += wait * 0.1 + 0.001
    assert _taken(buckets, "key", rate, 5) == 1


def test_a_full_bucket_does_not_overflow(buckets: Buckets, time: _Time) -> None:
    _taken(buckets, "key", USUAL, 10)
    time.now += 3600
    assert _taken(buckets, "key", USUAL, 10) == USUAL.burst


def test_one_bucket_knows_nothing_of_another(buckets: Buckets) -> None:
    _taken(buckets, "one", USUAL, 10)
    assert _taken(buckets, "other", USUAL, 10) == USUAL.burst


def test_a_clock_that_was_put_back_leaves_no_bucket_empty_for_long(
    buckets: Buckets, time: _Time
) -> None:
    _taken(buckets, "key", USUAL, 10)
    time.now -= 24 * 3600
    assert 0 < buckets.take("key", USUAL) <= USUAL.burst / USUAL.per_second
    time.now += USUAL.burst / USUAL.per_second
    assert not buckets.take("key", USUAL)


def test_buckets_that_are_full_again_take_no_memory(buckets: Buckets, time: _Time) -> None:
    for number in range(20 * limits._SWEEP_AT):
        buckets.take(number, USUAL)
        time.now += 0.01
    assert len(buckets) <= 2 * limits._SWEEP_AT


@given(pauses=st.lists(st.floats(0, 5), max_size=60))
def test_no_more_than_the_rate_is_ever_let_through(pauses: list[float]) -> None:
    time = _Time()
    buckets, begun, taken = Buckets(time), time.now, 0
    for pause in pauses:
        time.now += pause
        taken += not buckets.take("key", USUAL)
        assert taken <= USUAL.burst + (time.now - begun) * USUAL.per_second + 0.01
