"""Tasks that somebody answers for: a defect in one is told of, and costs the others nothing."""

from __future__ import annotations

import asyncio

import pytest

from ephemera.platform.chores import Chores


async def _never() -> None:
    await asyncio.Event().wait()


async def _fail() -> None:
    raise ValueError("a defect")


def test_what_fails_is_logged_with_whose_it_was(caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        chores = Chores("machine 7")
        chores.begin(_fail())
        await chores.finish()

    asyncio.run(scene())
    (said,) = caplog.records
    assert said.getMessage() == "machine 7: this is a defect"
    assert "a defect" in str(said.exc_info)


def test_nothing_goes_on_once_it_is_closed(caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        chores = Chores("machine 7")
        tasks = [chores.begin(_never()) for _ in range(3)]
        await asyncio.sleep(0)
        await chores.close()
        assert all(task.cancelled() for task in tasks)
        await chores.close()

    asyncio.run(scene())
    assert not caplog.records


def test_what_is_repeated_goes_on_after_a_defect(caplog: pytest.LogCaptureFixture) -> None:
    turns: list[int] = []

    async def scene() -> None:
        chores, enough = Chores("the watch"), asyncio.Event()

        async def act() -> None:
            turns.append(len(turns))
            if turns == [0]:
                raise ValueError("a defect")
            if len(turns) == 3:
                enough.set()
                await _never()

        chores.repeat(act, lambda: asyncio.sleep(0))
        await enough.wait()
        await chores.close()

    asyncio.run(scene())
    assert turns == [0, 1, 2]
    assert [one.getMessage() for one in caplog.records] == ["the watch: this is a defect"]
