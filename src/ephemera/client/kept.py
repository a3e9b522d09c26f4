"""Connections that are used again. No I/O: who asks for one opens and closes it.

The HTTP library's own pool looks at all of its connections, twice for each request: while 400 waits
are under way a request costs three times as much, while 1,000 are, six times. This one looks at the
ends of a line.

```
 take ◄── newest  ▐ idle ▐ idle ▐ idle ▐ idle ▌ oldest ──► closed, as it has been idle too long
 give_back ──►
```
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

import httpcore2


class Connection(Protocol):
    """What the HTTP library's connections, with and without `await`, have in common."""

    def can_handle_request(self, origin: httpcore2.Origin) -> bool:
        """Return whether it is one to this server."""
        ...

    def is_available(self) -> bool:
        """Return whether it is open and nothing is under way."""
        ...

    def has_expired(self) -> bool:
        """Return whether it has been idle for too long, or the server has closed it."""
        ...


C = TypeVar("C", bound=Connection)


class Kept(Generic[C]):
    """The connections of one client. Safe to use from any thread.

    Args:
        make: Makes a connection to a server, which it opens by itself when it is used.
    """

    def __init__(self, make: Callable[[httpcore2.Origin], C]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._busy: set[C] = set()
        #: In the order in which they were given back.
        self._idle: deque[C] = deque()
        self._unwanted: list[C] = []
        self._ended = False

    def take(self, origin: httpcore2.Origin) -> C:
        """Return a connection that nobody else uses: the one that was used last, or a new one.

        Whoever takes it gives it back, whatever became of it.
        """
        with self._lock:
            connection = self._usable(origin) or self._make(origin)
            self._busy.add(connection)
            return connection

    def give_back(self, connection: C) -> list[C]:
        """Have a connection used again, if it may be. Return those that are to be closed."""
        with self._lock:
            self._busy.discard(connection)
            if self._ended or not connection.is_available():
                self._unwanted.append(connection)
            else:
                self._sweep()
                self._idle.append(connection)
            unwanted, self._unwanted = self._unwanted, []
            return unwanted

    def end(self) -> list[C]:
        """Return all connections, to be closed. None is used again. Repeating is safe."""
        with self._lock:
            self._ended = True
            all_of_them = [*self._busy, *self._idle, *self._unwanted]
            self._busy.clear()
            self._idle.clear()
            self._unwanted.clear()
            return all_of_them

    def _usable(self, origin: httpcore2.Origin) -> C | None:
        while self._idle:
            connection = self._idle.pop()
            # The server may have closed it; or it is another one, now that the platform has moved.
            if connection.can_handle_request(origin) and not connection.has_expired():
                return connection
            self._unwanted.append(connection)
        return None

    def _sweep(self) -> None:
        while self._idle and self._idle[0].has_expired():
            self._unwanted.append(self._idle.popleft())
