from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from .world import World


@pytest.fixture
def play(tmp_path: Path) -> Callable[[Callable[[World], Awaitable[None]]], None]:
    """Run a scene, which is an async function, in a world of its own."""

    def run(scene: Callable[[World], Awaitable[None]]) -> None:
        async def whole() -> None:
            world = World(tmp_path)
            await world.open()
            try:
                await scene(world)
            finally:
                await world.close()

        asyncio.run(whole())

    return run
