"""How the bodies of requests are read: what is taken for one, and what is said of the rest."""

from __future__ import annotations

import asyncio
import gzip

import pytest
from starlette.requests import Request
from starlette.types import Message

from ephemera.platform.bodies import CreateMachine, Exec, Stop
from ephemera.platform.refusals import Refusal
from ephemera.platform.requests import ModelT, model


def read(
    body: bytes, shape: type[ModelT], *, required: bool = True, encoding: str | None = None
) -> ModelT:
    headers = [] if encoding is None else [(b"content-encoding", encoding.encode())]

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    request = Request({"type": "http", "method": "POST", "headers": headers}, receive)
    return asyncio.run(model(request, shape, required=required))


def refusal(body: bytes, shape: type[ModelT], *, encoding: str | None = None) -> Refusal:
    with pytest.raises(Refusal) as raised:
        read(body, shape, encoding=encoding)
    return raised.value


@pytest.mark.parametrize("body", [b"", b" \n", b"null", b" null\n", b"{}"])
def test_a_body_that_may_be_left_out_may_be_null_too(body: bytes) -> None:
    assert read(body, Stop, required=False) == Stop()


@pytest.mark.parametrize("body", [b"[]", b"7", b'"text"', b"null"])
def test_what_is_not_an_object_is_told_in_the_words_of_json(body: bytes) -> None:
    said = refusal(body, Exec)
    assert said.status == 400
    assert said.error == "invalid_argument: the body: input should be an object"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b'{"config": []}', "config: input should be an object"),
        (b'{"config": {"image": "host", "env": []}}', "config.env: input should be an object"),
        (b'{"config": {}, "name": 7}', "name: input should be a valid string"),
    ],
)
def test_the_field_is_named(body: bytes, error: str) -> None:
    assert refusal(body, CreateMachine).error == f"invalid_argument: {error}"


def test_what_a_field_makes_of_its_value_is_told_in_its_own_words() -> None:
    said = refusal(b'{"timeout": "soon"}', Stop).error
    assert said == "invalid_argument: timeout: 'soon' is not a duration such as '10s' or '1m30s'"


def test_a_compressed_body_is_refused_for_what_it_is() -> None:
    said = refusal(gzip.compress(b"{}"), Stop, encoding="gzip")
    assert said.status == 400
    assert "content-encoding 'gzip'" in said.error


def test_an_encoding_that_changes_nothing_is_no_obstacle() -> None:
    assert read(b"{}", Stop, encoding="identity") == Stop()
