"""Reading exactly so many bytes from a stream that comes in pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ephemera.platform.unpacker.problems import BadLayer


class Source:
    """The archive, in whatever portions its reader wants.

    Args:
        next_piece: Returns the next bytes; empty at the end, after which it is not called again.
    """

    def __init__(self, next_piece: Callable[[], bytes]) -> None:
        self._next_piece = next_piece
        self._piece = memoryview(b"")
        self._at = 0
        self._has_ended = False

    def take(self, count: int) -> bytes:
        """Return so many bytes.

        Raises:
            BadLayer: there are fewer.
        """
        end = self._at + count
        if end <= len(self._piece):
            taken = bytes(self._piece[self._at : end])
            self._at = end
            return taken
        return b"".join(self.portions(count))

    def portions(self, count: int) -> Iterator[memoryview]:
        """Yield so many bytes without copying them.

        Raises:
            BadLayer: there are fewer.
        """
        while count:
            if self._at == len(self._piece):
                self._fill()
            portion = self._piece[self._at : self._at + count]
            self._at += len(portion)
            count -= len(portion)
            yield portion

    def skip(self, count: int) -> None:
        """Leave so many bytes out.

        Raises:
            BadLayer: there are fewer.
        """
        for _ in self.portions(count):
            pass

    def at_end(self) -> bool:
        """Return whether there is nothing more."""
        if self._at < len(self._piece):
            return False
        if not self._has_ended:
            self._piece, self._at = memoryview(self._next_piece()), 0
            self._has_ended = not self._piece
        return self._has_ended

    def drain(self) -> None:
        """Read to the end."""
        while not self.at_end():
            self._at = len(self._piece)

    def _fill(self) -> None:
        if self.at_end():
            raise BadLayer("its archive ends in the middle")
