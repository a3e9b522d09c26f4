from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from .shelf import Shelf


@pytest.fixture
def play(tmp_path: Path) -> Callable[[Callable[[Shelf], Awaitable[None]]], None]:
    """Run a scene, which is an async function, with a shelf of its own."""

    def run(scene: Callable[[Shelf], Awaitable[None]]) -> None:
        async def whole() -> None:
            shelf = Shelf(tmp_path)
            shelf.open()
            try:
                await scene(shelf)
            finally:
                await shelf.close()

        asyncio.run(whole())

    return run
