"""What the connections of clients need of the proxy they came to."""

from __future__ import annotations

from typing import Protocol

from ephemera.platform.proxy.streams import Stream


class Connection(Protocol):
    """A client's connection, of whatever version of HTTP."""

    def expire(self, now: float) -> None:
        """Hang up if the client is too slow. `now` is the loop's time."""
        ...

    def wind_down(self) -> None:
        """Answer what was asked, and then hang up. Repeating is safe."""
        ...

    def abort(self) -> None:
        """Hang up at once."""
        ...


class Host(Protocol):
    """Who answers."""

    def admit(self, connection: Connection) -> bool:
        """Return whether there is room for one more; if not, it is to end soon.

        Either way it is looked after until `leave`.
        """
        ...

    def leave(self, connection: Connection) -> None:
        """Forget a connection. Repeating is safe."""
        ...

    async def serve(self, stream: Stream) -> None:
        """Answer one request.

        Raises:
            asyncio.CancelledError: the client has gone.
        """
        ...
