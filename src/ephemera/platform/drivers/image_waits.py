"""Waiting for the images of machines that may be told to end meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from ephemera.errors import StartCancelled

T = TypeVar("T")


class ImageWaits:
    """The machines that wait for their images. Belongs to one event loop."""

    def __init__(self) -> None:
        self._waits: dict[str, asyncio.Timeout] = {}

    async def wait(self, machine_id: str, image: Awaitable[T]) -> T:
        """Return the image once it is there.

        Raises:
            StartCancelled: `cancel` was called. The wait for the image is cancelled with that.
        """
        # A timeout without a time is a scope that can be cancelled from outside, and no task.
        wait = asyncio.timeout(None)
        try:
            async with wait:
                self._waits[machine_id] = wait
                return await image
        except TimeoutError:
            if not wait.expired():
                raise
        finally:
            self._waits.pop(machine_id, None)
        raise StartCancelled(f"machine {machine_id} was told to end while it waited for its image")

    def cancel(self, machine_id: str) -> None:
        """End the wait of a machine, if it waits. Repeating is safe."""
        wait = self._waits.pop(machine_id, None)
        if wait:
            wait.reschedule(0.0)  # in the past
