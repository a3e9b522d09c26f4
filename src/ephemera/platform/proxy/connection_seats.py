"""Places that are for a client's connection as a whole (concurrency of type `connections`)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from ephemera.platform.proxy.routing import Seat


class ConnectionSeats:
    """The seats of one connection, by host.

    HTTP/2 asks for many things at once. Whoever asks first gets the seat, for all of them: a
    connection that had two would count twice, and could wait for itself at a hard limit of one.
    """

    def __init__(self) -> None:
        self._held: dict[str, Seat] = {}
        self._coming: dict[str, asyncio.Task[Seat]] = {}
        self._has_left = False

    async def get(self, host: str, take: Callable[[], Coroutine[Any, Any, Seat]]) -> Seat:
        """Return the seat of the connection, which is taken if there is none that holds.

        Args:
            take: Finds a place. It goes on when the request that asked is given up.

        Raises:
            ProxyRefusal: there is no place.
        """
        seat = self._held.get(host)
        if seat and seat.holds():
            return seat
        if seat:
            self.give_up(host, seat)
        coming = self._coming.get(host)
        if coming is None:
            coming = self._coming[host] = asyncio.get_running_loop().create_task(take())
            coming.add_done_callback(lambda done: self._came(host, done))
        return await asyncio.shield(coming)

    def holds(self, seat: Seat) -> bool:
        """Return whether a seat is the connection's, which gives it back when it ends."""
        return seat in self._held.values()

    def give_up(self, host: str, seat: Seat) -> None:
        """Give back a seat that is good for nothing any more. Repeating is safe."""
        if self._held.get(host) is seat:
            del self._held[host]
        seat.release()

    def leave(self) -> None:
        """Give back all of them: the client has gone."""
        self._has_left = True
        for task in self._coming.values():
            task.cancel()
        for host in list(self._held):
            self._held.pop(host).release()

    def _came(self, host: str, task: asyncio.Task[Seat]) -> None:
        del self._coming[host]
        if task.cancelled() or task.exception():
            return
        if self._has_left:
            task.result().release()
        else:
            self._held[host] = task.result()
