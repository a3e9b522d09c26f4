"""Waiting while whoever is written to does not read."""

from __future__ import annotations

import asyncio

from ephemera.platform.proxy.streams import End


class Writing:
    """Whether a connection takes more, as asyncio tells its protocol.

    While it is the end of a tunnel nobody writes who could wait: its far end reads no more then.
    """

    __slots__ = ("_again",)

    def __init__(self) -> None:
        #: Done when it takes more again; None while it does.
        self._again: asyncio.Future[None] | None = None

    @property
    def is_paused(self) -> bool:
        """Whether it takes no more for now."""
        return self._again is not None

    def pause(self, far: End | None = None) -> None:
        """Note that it takes no more for now."""
        if far:
            far.hold()
        elif self._again is None:
            self._again = asyncio.get_running_loop().create_future()

    def resume(self, far: End | None = None) -> None:
        """Note that it takes more, or is gone. Repeating is safe."""
        if far:
            far.go_on()
        if self._again and not self._again.done():
            self._again.set_result(None)
        self._again = None

    async def drain(self) -> None:
        """Return when it takes more, or is gone."""
        if self._again:
            await asyncio.shield(self._again)
