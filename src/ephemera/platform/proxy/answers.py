"""What a machine answers, before its body, and what becomes of it where it does not."""

from __future__ import annotations

from dataclasses import dataclass

from ephemera.errors import EphemeraError
from ephemera.platform.proxy.streams import Headers


class MachineLost(EphemeraError):
    """The machine hung up, or sent what is no answer.

    Attributes:
        untouched: Whether nothing at all came back for this request.
    """

    def __init__(self, message: str, *, untouched: bool = False) -> None:
        super().__init__(message)
        self.untouched = untouched


@dataclass(slots=True)
class AnswerHead:
    """The first part of an answer."""

    status: int
    #: Names in lower case.
    headers: Headers
    version: str
    #: Bytes of the body; None where only its end will tell.
    length: int | None

    def get(self, name: bytes) -> bytes:
        """Return the values of a header, joined by commas; empty if there is none."""
        return b", ".join([value for key, value in self.headers if key == name])


def framing(headers: Headers) -> tuple[int | None, bool]:
    """Return how long an answer is, and whether it comes in chunks.

    Raises:
        MachineLost: it comes in what we cannot read.
    """
    length = None
    chunked = False
    for name, value in headers:
        if name == b"content-length" and value.isdigit():
            length = int(value)
        elif name == b"transfer-encoding":
            if chunked or value.strip().lower() != b"chunked":
                raise MachineLost("the only Transfer-Encoding spoken here is chunked")
            chunked = True
    return length, chunked
