"""What a request says, read with care: bodies, queries, tokens. No endpoint is in here."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from starlette.requests import ClientDisconnect, HTTPConnection, Request

from ephemera.platform import refusals
from ephemera.platform.refusals import Refusal
from ephemera.wire.durations import parse_duration

#: Larger bodies are refused, before they are read. A machine's files travel in them.
BODY_BYTES_MAX = 1024 * 1024
#: More values than this are refused, before each of them is looked at, which takes a hundred times
#: as long as reading them: everybody else would wait for seconds.
VALUES_MAX = 10_000

NONCE_HEADER = "fly-machine-lease-nonce"

ModelT = TypeVar("ModelT", bound=BaseModel)


async def model(
    request: Request,
    shape: type[ModelT],
    *,
    required: bool = True,
    values_max: int = VALUES_MAX,
) -> ModelT:
    """Return the JSON body as a model.

    Args:
        required: Whether an empty body is an error; otherwise it is an empty object, and so is
            `null`, which is what Go and JavaScript make of a body that nobody gave.
        values_max: How many values it may hold; more where bytes may be sent as numbers.

    Raises:
        Refusal: 400 for what is not such a body, 413 for one that is too long.
    """
    body = (await _body(request)).strip()
    if required and not body:
        raise Refusal(400, "EOF")
    if not required and body in (b"", b"null"):
        return shape()
    try:
        return shape.model_validate(_parsed(body, values_max))
    except ValidationError as error:
        raise refusals.invalid(_first(error)) from None


def flag(request: Request, *names: str) -> bool:
    """Return whether one of the query's keys says yes.

    Raises:
        Refusal: it says neither yes nor no.
    """
    for name in names:
        text = request.query_params.get(name)
        if text is None:
            continue
        if text.lower() not in ("true", "1", "false", "0", ""):
            raise refusals.invalid(f"{name}={text[:40]!r} is neither true nor false")
        if text.lower() in ("true", "1"):
            return True
    return False


def integer(request: HTTPConnection, name: str, default: int, least: int, most: int) -> int:
    """Return a whole number of the query.

    Raises:
        Refusal: it is not one, or outside the range.
    """
    text = request.query_params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10 and least <= int(text) <= most):
        raise refusals.invalid(f"{name}={text[:40]!r} is not a whole number from {least} to {most}")
    return int(text)


def choice(request: Request, name: str, default: str, allowed: Sequence[str]) -> str:
    """Return a word of the query.

    Raises:
        Refusal: it is none of those that are allowed.
    """
    text = request.query_params.get(name) or default
    if text not in allowed:
        raise refusals.invalid(f"{name}={text[:40]!r} is not one of {', '.join(allowed)}")
    return text


def duration(value: str | int | float | None, default: float, name: str) -> float:
    """Return a duration in seconds.

    Raises:
        Refusal: it is not a duration.
    """
    if value is None or value == "":
        return default
    try:
        return parse_duration(value)
    except ValueError as error:
        raise refusals.invalid(f"{name}: {error}") from None


def nonce(request: Request) -> str:
    """Return the lease nonce that the caller shows, or nothing."""
    return request.headers.get(NONCE_HEADER, "")


async def _body(request: Request) -> bytes:
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.lower() != "identity":
        raise refusals.invalid(f"content-encoding {encoding[:40]!r}: bodies are read as they are")
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > BODY_BYTES_MAX:
        raise _too_long()
    received = bytearray()
    try:
        async for chunk in request.stream():
            received += chunk
            if len(received) > BODY_BYTES_MAX:
                raise _too_long()
    except ClientDisconnect:
        raise Refusal(400, "the body ended before it was complete") from None
    return bytes(received)


def _too_long() -> Refusal:
    return Refusal(413, f"the body is longer than {BODY_BYTES_MAX} bytes")


def _parsed(body: bytes, values_max: int) -> Any:
    try:
        text = body.decode()
        parsed = json.loads(text, parse_constant=_no_constant)
        _check_count(parsed, values_max)
        # Escaped halves of characters are JSON, and cannot be written to any file or database.
        json.dumps(parsed, ensure_ascii=False).encode()
    except UnicodeError:
        raise refusals.invalid("the body is not UTF-8, or holds half a character") from None
    except RecursionError:
        raise refusals.invalid("the body is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise refusals.invalid(f"the body is not JSON: {error}") from None
    except ValueError:
        raise refusals.invalid("the body holds a number of too many digits") from None
    return parsed


def _check_count(parsed: Any, values_max: int) -> None:
    """Let pass what holds no more than so many values, at whatever depth."""
    left, seen = [parsed], 0
    while left:
        one = left.pop()
        inner = one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
        seen += len(inner)
        if seen > values_max:
            raise refusals.invalid(f"the body holds more than {values_max} values")
        left += inner


def _no_constant(name: str) -> None:
    raise refusals.invalid(f"the body is not JSON: {name} is none of its words")


def _first(error: ValidationError) -> str:
    """Return the first thing that is wrong, as `config.services[0].internal_port: ...`.

    The value is not shown: it may be a secret that somebody put in the wrong place.
    """
    found = error.errors(include_url=False, include_context=False, include_input=False)
    place, said = found[0]["loc"], _said(found[0])
    others = [one for one in found if one["loc"][:-1] == place[:-1]]
    if len(others) > 1 and all(_KIND.fullmatch(str(one["loc"][-1])) for one in others):
        place = place[:-1]  # one of several kinds would do, and each of them says that it is not
        said = " or ".join(one["msg"].removeprefix("Input should be ") for one in others)
        said = f"Input should be {said}"
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part[:80]}" for part in place)[1:]
    said = said[:1].lower() + said[1:]
    return f"{where}: {said}" if where else f"the body: {said}"


def _said(error: ErrorDetails) -> str:
    """Return what is wrong in the words of the API, where pydantic's are about Python."""
    if error["type"] in ("model_type", "dict_type"):
        return "Input should be an object"
    return error["msg"].removeprefix("Value error, ")


#: How a kind of value is called where a field takes several.
_KIND = re.compile(r"bool|str|int|float|literal\[.*\]")
