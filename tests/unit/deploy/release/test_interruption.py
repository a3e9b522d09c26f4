"""Ctrl-C is heard where it does no harm."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from ephemera.deploy.release.interruption import Interrupted, heard


@pytest.fixture
def passed_on() -> Iterator[list[int]]:
    """Note what is passed on at the end, instead of ending by it."""
    came: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda signum, _: came.append(signum))
    yield came
    signal.signal(signal.SIGTERM, before)


def test_a_request_is_not_cut_off_and_the_wait_after_it_is(passed_on: list[int]) -> None:
    done: list[str] = []

    def release() -> None:
        with heard() as interruption:
            signal.raise_signal(signal.SIGTERM)
            done.append("the request")
            with interruption.allowed():
                done.append("the wait")

    with pytest.raises(Interrupted):
        release()
    assert done == ["the request"]
    assert passed_on == [signal.SIGTERM]


def test_a_wait_is_cut_off_at_once(passed_on: list[int]) -> None:
    with heard() as interruption:
        with pytest.raises(Interrupted), interruption.allowed():
            signal.raise_signal(signal.SIGTERM)
        with interruption.allowed():  # what is undone then is waited for
            pass
        with pytest.raises(Interrupted), interruption.allowed():
            signal.raise_signal(signal.SIGTERM)
    assert passed_on == [signal.SIGTERM]


def test_where_nothing_came_nothing_ispassed_on(passed_on: list[int]) -> None:
    with heard() as interruption, interruption.allowed():
        pass
    assert passed_on == []


def test_an_error_goes_before_a_signal(passed_on: list[int]) -> None:
    def fail() -> None:
        signal.raise_signal(signal.SIGTERM)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"), heard():
        fail()
    assert passed_on == []
