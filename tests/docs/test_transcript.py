"""The replay of a transcript notices what differs, and forgives what always does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.docs.transcript import Step, Terminal, steps

JOB, OTHER_JOB = "01M84NJBK9YD1203KMHZZBZQD2", "01M84NJNZ16G5S5S928YJQC2S1"
SHOWN = "01M84PAAAAAAAAAAAAAAAAAAAA"


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path, {"PATH": os.environ["PATH"], "EPHEMERA_HOME": "/nowhere"})


def test_a_block_is_taken_apart_into_commands_and_what_they_print() -> None:
    assert list(steps("$ one\n$ two\na\nb\n")) == [Step("one", ""), Step("two", "a\nb\n")]


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        (f"job {JOB}", f"job {SHOWN}"),
        ("took 1.5s", "took 30ms"),
        ("http://127.0.0.1:1", "http://127.0.0.1:4280"),
        ("2026-11-23T16:59:41Z", "2020-01-01T00:00:00.123456Z"),
        ("a     b", "a b"),
        ("first and last", "first ... last"),
        ("last", "...\nlast"),
    ],
)
def test_what_differs_from_run_to_run_is_forgiven(
    terminal: Terminal, printed: str, shown: str
) -> None:
    assert terminal.replay(Step(f"echo '{printed}'", shown)) == 0


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        ("stopped", "started"),
        ("stopped, and more", "stopped"),
        ("", "stopped"),
        (f"{JOB} {OTHER_JOB}", f"{SHOWN} {SHOWN}"),
        ("aXc", "a.c"),
    ],
)
def test_what_differs_otherwise_is_noticed(terminal: Terminal, printed: str, shown: str) -> None:
    with pytest.raises(AssertionError, match="the page shows"):
        terminal.replay(Step(f"echo '{printed}'", shown))


LOG = [
    "2026-11-23T16:59:41Z runner[64b77cb7eeb7da] local [info]Machine started in 39ms",
    "2026-11-23T16:59:41Z app[64b77cb7eeb7da] local [info]half of it",
    "2026-11-23T16:59:41Z runner[64b77cb7eeb7da] local [info]machine exited",
]


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (0, 2, 1)])
def test_writers_of_a_log_may_have_written_one_before_the_other(
    terminal: Terminal, order: tuple[int, ...]
) -> None:
    printed = "\n".join(LOG[number] for number in order)
    assert terminal.replay(Step(f"echo '{printed}'", "\n".join(LOG))) == 0


@pytest.mark.parametrize("order", [(2, 1, 0), (0, 1), (0, 1, 2, 2)])
def test_what_one_writer_of_a_log_wrote_is_in_order_and_whole(
    terminal: Terminal, order: tuple[int, ...]
) -> None:
    printed = "\n".join(LOG[number] for number in order)
    with pytest.raises(AssertionError, match="the page shows"):
        terminal.replay(Step(f"echo '{printed}'", "\n".join(LOG)))


def test_an_id_stays_the_same_for_a_whole_page(terminal: Terminal) -> None:
    terminal.replay(Step(f"echo {JOB}", SHOWN))
    terminal.replay(Step(f"echo job {SHOWN}", f"job {SHOWN}"))
    with pytest.raises(AssertionError):
        terminal.replay(Step(f"echo {OTHER_JOB}", SHOWN))


def test_what_is_so_a_moment_later_is_waited_for(terminal: Terminal) -> None:
    step = Step("echo x >> tries; grep -c x tries", "3")
    assert terminal.replay(step, within_s=30) == 0
    with pytest.raises(AssertionError, match="the page shows"):
        terminal.replay(step, within_s=0.01)


def test_the_exit_status_is_told(terminal: Terminal) -> None:
    assert terminal.replay(Step("exit 3", "")) == 3
