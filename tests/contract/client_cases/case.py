"""What a method of a client is held to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

#: An answer whose whole body is JSON's null; None stands for an answer without a body.
NULL = object()


@dataclass(frozen=True)
class Case:
    """A call, the request it is, and how its answer is understood."""

    do: Callable[[Any], Any]
    request: str
    body: object = None
    answer: tuple[int, object] = (200, None)
    result: object = None
    nonce: str | None = None


Cases = dict[str, list[Case]]
