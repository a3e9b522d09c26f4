"""Trimming goes on beside a supervisor, whatever comes of it."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, cast

import pytest

from ephemera.errors import NoAnswer
from ephemera.jobs import trimming
from ephemera.jobs.context import Context
from ephemera.jobs.settings import Settings
from ephemera.jobs.trimming import Trimming
from ephemera.testing.clock import FakeClock


class Surroundings:
    """As much of a context as trimming looks at."""

    settings = Settings(store="", app="jobs")

    def __init__(self) -> None:
        self.clock = FakeClock()


@pytest.mark.parametrize(
    ("error", "level"), [(NoAnswer("nobody"), logging.WARNING), (KeyError("x"), logging.ERROR)]
)
def test_what_goes_wrong_is_told_and_tried_again_in_a_minute(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    level: int,
) -> None:
    calls: list[str] = []

    async def trim(*_: Any, **__: Any) -> None:
        calls.append("trim")
        raise error

    monkeypatch.setattr(trimming, "trim", trim)

    async def scene() -> None:
        around, ours = Surroundings(), Trimming()
        context = cast("Context", around)
        for seconds, made in ((0, 1), (59, 1), (2, 2)):
            around.clock.advance(seconds)
            ours.now_and_then(context)
            ours.now_and_then(context)
            if ours.task:
                await ours.task
                await asyncio.sleep(0)
            assert len(calls) == made
            assert ours.task is None

    asyncio.run(scene())
    assert [one.levelno for one in caplog.records] == [level, level]


def test_one_that_was_cancelled_before_it_began_is_followed_by_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[str] = []

    async def trim(*_: Any, **__: Any) -> None:
        calls.append("trim")

    monkeypatch.setattr(trimming, "trim", trim)

    async def scene() -> None:
        around, ours = Surroundings(), Trimming()
        context = cast("Context", around)
        ours.now_and_then(context)
        assert ours.task
        ours.task.cancel()
        await asyncio.gather(ours.task, return_exceptions=True)
        await asyncio.sleep(0)
        around.clock.advance(61)
        ours.now_and_then(context)
        assert ours.task
        await ours.task

    asyncio.run(scene())
    assert calls == ["trim"]
