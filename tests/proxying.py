"""Scenes on a platform whose machines are played, for tests of the routing half of its proxy."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from tests.unit.platform.world import World, play_in

#: Runs a scene, which is an async function, in a world of its own.
Play = Callable[[Callable[[World], Awaitable[None]]], None]


def playing(folder: Path) -> Play:
    """Return what runs a scene on a platform in a folder."""
    return partial(play_in, folder)


async def until(is_so: Callable[[], object]) -> None:
    """Return when something is so that nobody tells of."""
    async with asyncio.timeout(40):
        while not is_so():  # noqa: ASYNC110 - there is nothing else to wait for
            await asyncio.sleep(0.005)
