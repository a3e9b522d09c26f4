"""What travels between the exchange, which decides, and the links, which do.

The exchange yields a `Send`, a `Pause` or a `Found`. It is given an `Answer` or a `Lost` for
each `Send` and nothing for the others. That is the whole protocol, so that everything which is
hard about talking to an API is decided without a socket, a clock or a sleep.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

T = TypeVar("T")

#: Which of the two servers is meant: Fly serves log streams from another host than machines.
Base = Literal["api", "logs"]
Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Send:
    """Please send this request and tell what came of it."""

    method: str
    #: Quoted already, and starting with a slash.
    path: str
    query: Pairs = ()
    #: More of the query, for platforms of ours only: what Fly.io does not know is not sent there.
    own_query: Pairs = ()
    headers: Pairs = ()
    #: JSON; None for a request without a body.
    body: bytes | None = None
    #: How many seconds the server may stay silent.
    read_timeout_s: float = 30.0
    base: Base = "api"


@dataclass(frozen=True, slots=True)
class Pause:
    """Please do nothing for a while."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """An item of a stream is there for the caller."""

    item: T


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete HTTP answer, whatever its status."""

    status: int
    #: Names in lower case.
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def ok(self) -> bool:
        """Whether the API did what was asked."""
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Lost:
    """No complete answer came."""

    #: False only where it is certain that the server never saw the request.
    sent: bool
    reason: str
    #: The transport's own exception, for `raise ... from`.
    cause: Exception | None = None
