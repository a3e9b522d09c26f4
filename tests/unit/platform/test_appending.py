"""A log that is kept open to be written to, whatever others do with its files meanwhile."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ephemera.platform import logfile
from ephemera.platform.appending import Appender
from ephemera.platform.logs import Cursor, Logs, Wanted

_LINE = b"0123456789\n"


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return str(tmp_path / "app")


@pytest.fixture
def appender(folder: str) -> Appender:
    made = Appender(folder)
    made.append(_LINE)
    return made


def _lines(folder: str) -> list[int]:
    """Return how many lines each segment has."""
    paths = (logfile.segment_path(folder, one) for one in logfile.segments(folder))
    return [len(Path(one).read_bytes()) // len(_LINE) for one in paths]


def test_what_is_appended_stands_beside_what_others_append(folder: str, appender: Appender) -> None:
    for _ in range(3):
        logfile.append(folder, _LINE)
        appender.append(_LINE)
    assert _lines(folder) == [7]
    assert appender.end() == (1, 7 * len(_LINE))


def test_a_segment_that_is_full_is_followed_by_another(
    folder: str, appender: Appender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logfile, "SEGMENT_BYTES", 3 * len(_LINE))
    for _ in range(9):
        appender.append(_LINE)
    assert len(_lines(folder)) > 2
    assert sum(_lines(folder)) == 10
    assert max(_lines(folder)) <= 4


def test_another_segment_that_somebody_else_began_is_found(
    folder: str, appender: Appender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logfile, "SEGMENT_BYTES", 2 * len(_LINE))
    logfile.append(folder, _LINE)
    assert logfile.segments(folder) == [1, 2]
    assert appender.end() is None
    appender.append(_LINE)
    assert _lines(folder) == [2, 1]
    assert appender.end() == (2, len(_LINE))


@pytest.mark.parametrize("again", [lambda _: None, os.mkdir], ids=["gone", "made again"])
def test_a_log_that_was_deleted_begins_anew(
    folder: str, appender: Appender, again: Callable[[str], None]
) -> None:
    shutil.rmtree(folder)
    again(folder)
    assert appender.end() is None
    appender.append(_LINE)
    appender.append(_LINE)
    assert _lines(folder) == [2]


def test_a_log_that_is_closed_is_opened_again(folder: str, appender: Appender) -> None:
    appender.close()
    appender.close()
    assert appender.end() is None
    appender.append(_LINE)
    assert _lines(folder) == [2]


def test_no_more_logs_are_kept_open_than_a_few(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ephemera.platform.logs._OPEN_MAX", 2)
    logs = Logs(tmp_path)
    for _ in range(2):
        for app in ("one", "two", "three"):
            logs.say(app, "m1", "local", "hello")
    assert [len(logs.page(one, Cursor(1, 0), Wanted())[0]) for one in ("one", "three")] == [2, 2]
