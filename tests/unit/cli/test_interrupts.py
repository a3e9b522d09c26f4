from __future__ import annotations

import signal

import pytest

from ephemera.cli.interrupts import uninterrupted


def test_ctrl_c_waits_until_the_block_is_over() -> None:
    done: list[str] = []

    def work() -> None:
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
            done.append("the whole block")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["the whole block"]


def test_the_handlers_are_put_back() -> None:
    before = [signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)]
    with uninterrupted():
        assert signal.getsignal(signal.SIGINT) not in before
    assert [signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)] == before


def test_an_error_of_the_block_goes_before_the_signal() -> None:
    def fail() -> None:
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
            raise ValueError("the block")

    with pytest.raises(ValueError, match="the block"):
        fail()


def test_who_wants_to_know_is_told_of_a_signal_before_and_after() -> None:
    told: list[str] = []

    def work() -> None:
        with uninterrupted() as held:
            held.tell(lambda: told.append("early"))
            signal.raise_signal(signal.SIGINT)
            held.tell(lambda: told.append("late"))

    with pytest.raises(KeyboardInterrupt):
        work()
    assert told == ["early", "late"]
