"""What an endpoint is: which request to send, how to read the answer, and what repeating it does.

`ephemera.client.calls` has one function per endpoint that returns such a value. The two clients
are generated from those functions, and `ephemera.client.exchange` knows how to carry a call out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from pydantic import TypeAdapter

from ephemera.client.messages import Answer, Base, Pairs, Send
from ephemera.errors import ConfigError
from ephemera.wire.resource import Wire

T = TypeVar("T")
P = TypeVar("P")
W = TypeVar("W", bound=Wire)

#: How long an ordinary answer may take. A create on Fly.io was measured at up to 2.5 s and the
#: documentation speaks of low double-digit seconds.
READ_TIMEOUT_S = 30.0

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
#: What no piece of a path may have in it. Half of a surrogate pair has no form as bytes.
_UNFIT = re.compile(rf"^$|/|\.\.|[\ud800-\udfff]|{_CONTROL.pattern}")
_NONCE = re.compile(r"[ -~]+")
#: Characters of a wrong value that a message shows.
_SHOWN = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[T]):
    """One call of one endpoint, as a value."""

    #: What the caller is doing, for messages: `getting machine 'x' of app 'y'`.
    doing: str
    method: str
    path: str
    #: Makes the result of a successful answer; pydantic's `ValidationError` where it cannot.
    read: Callable[[Answer], T]
    query: Pairs = ()
    #: More of the query, for platforms of ours only.
    own_query: Pairs = ()
    headers: Pairs = ()
    body: bytes | None = None
    read_timeout_s: float = READ_TIMEOUT_S
    base: Base = "api"
    #: Doing it twice is the same as doing it once, so it may be sent again after a lost answer.
    repeatable: bool = False
    #: A 408 says that the time asked for is up. Elsewhere a 408 leaves open whether the request
    #: was applied, exactly as a lost answer does.
    timed: bool = False
    #: Seconds to hold on by asking again and again; each poll gets its own `timeout` in the query.
    hold_s: float | None = None
    #: For what must not be made twice: finds what an earlier, doubtful send has made, or None.
    look: Call[T | None] | None = None
    #: The same in other places, in order of preference, for where there is no room in this one.
    elsewhere: tuple[Call[T], ...] = ()

    def send(self) -> Send:
        """Return the request."""
        return Send(
            method=self.method,
            path=self.path,
            query=self.query,
            own_query=self.own_query,
            headers=self.headers,
            body=self.body,
            read_timeout_s=self.read_timeout_s,
            base=self.base,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream(Generic[P, T]):
    """A list that is read page by page."""

    #: The call for the page after a cursor; an empty cursor is the beginning.
    page: Callable[[str], Call[P]]
    items: Callable[[P], Sequence[T]]
    #: What a page says of the next one: empty where it knows of none.
    cursor: Callable[[P], str]
    #: Whether to go on asking where nothing more is there yet.
    endless: bool = False


def segment(kind: str, value: str) -> str:
    """Return `value` quoted for use as one segment of a path.

    Raises:
        ConfigError: it is no text, or empty, or could reach another resource than the one
            meant: it holds a slash, two dots in a row, or a control character. Nothing is sent
            then.
    """
    if isinstance(value, str) and value != "." and not _UNFIT.search(value):
        return quote(value, safe="")
    raise ConfigError(
        f"{repr(value)[:_SHOWN]} cannot be {kind}",
        hint="it is text, not empty, with no slash, two dots in a row or control characters",
    )


def app_path(app: str, tail: str = "") -> str:
    """Return the path of an app, or of something below it."""
    return "/v1/apps/" + segment("an app's name", app) + tail


def machine_path(app: str, machine_id: str, tail: str = "") -> str:
    """Return the path of a machine, or of something below it."""
    return app_path(app, "/machines/" + segment("a machine's id", machine_id) + tail)


def pairs(**values: str | float | bool | None) -> Pairs:
    """Return what was given as query parameters; what is None or False is left out."""
    return tuple(
        (name, "true" if value is True else str(value))
        for name, value in values.items()
        if value is not None and value is not False
    )


def with_nonce(nonce: str | None) -> Pairs:
    """Return the header that says that we are the holder of the machine's lease.

    Raises:
        ConfigError: the nonce cannot be a header's value.
    """
    if nonce is None:
        return ()
    if not isinstance(nonce, str) or not _NONCE.fullmatch(nonce):
        raise ConfigError("a lease's nonce must be printable ASCII and not empty")
    return (("fly-machine-lease-nonce", nonce),)


def encode(doing: str, value: Mapping[str, Any]) -> bytes:
    """Return a request's body. Keys whose value is None are left out, at the top only.

    Raises:
        ConfigError: something in it cannot be written as JSON.
    """
    given = {key: item for key, item in value.items() if item is not None}
    try:
        return _ENCODER.encode(given).encode()
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{doing}: not JSON: {error}") from error


def _plain(value: object) -> object:
    if isinstance(value, Wire):
        return value.model_dump(exclude_none=True)
    raise TypeError(f"a {type(value).__name__} has no JSON form")


_ENCODER = json.JSONEncoder(allow_nan=False, default=_plain, separators=(",", ":"))


def reader(model: type[W]) -> Callable[[Answer], W]:
    """Return a function that reads an answer as `model`."""

    def read(answer: Answer) -> W:
        return model.model_validate_json(answer.body)

    return read


def lister(model: type[W]) -> Callable[[Answer], list[W]]:
    """Return a function that reads an answer as a list of `model`; null is an empty one."""

    def read(answer: Answer) -> list[W]:
        found: list[W] | None = _list_of(model).validate_json(answer.body)
        return found or []

    return read


@cache
def _list_of(model: type[Wire]) -> TypeAdapter[Any]:
    # Neither type checker knows types that are made when the program runs.
    return TypeAdapter(list[model] | None)  # type: ignore


def nothing(_: Answer) -> None:
    """Read the answer of a call that says no more than that it was done."""
