"""What is sent to a registry that answers in a certain way, and what is made of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest

from ephemera.deploy.build.document import Document
from ephemera.deploy.build.pushing import Pushing
from ephemera.errors import BuildError
from ephemera.oci.credentials import Credentials
from ephemera.oci.entrance import Entrance
from ephemera.oci.reference import parse
from ephemera.oci.registries import Way
from tests.pulling import QUICK

DIGEST = "sha256:" + "a" * 64
BLOB = b"0123456789"
#: What was asked: method, path with query, body.
Asked = tuple[str, str, bytes]


@dataclass(frozen=True)
class Said:
    """An answer of a registry."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""

    def response(self) -> httpx2.Response:
        async def pieces() -> AsyncIterator[bytes]:
            yield self.content

        return httpx2.Response(self.status, headers=self.headers, content=pieces())


Answer = Said | Exception


class Registry:
    """Answers in turn what it is told to, and remembers what it was asked."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)
        self.asked: list[Asked] = []
        self.headers: list[httpx2.Headers] = []

    async def handle(self, request: httpx2.Request) -> httpx2.Response:
        body = await request.aread()
        self.asked.append((request.method, request.url.raw_path.decode(), body))
        self.headers.append(request.headers)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer.response()

    def run(self, scene: Callable[[Pushing], Coroutine[Any, Any, Any]]) -> Any:
        async def whole() -> Any:
            async with httpx2.AsyncClient(transport=httpx2.MockTransport(self.handle)) as http:
                reference = parse("127.0.0.1:5000/shop:one")
                login = Credentials("x", "a-secret-token")
                entrance = Entrance(http, reference.host, "shop", login, "pull,push")
                way = Way(http, httpx2.URL("http://127.0.0.1:5000"), entrance)
                return await scene(Pushing(way, reference, QUICK))

        return asyncio.run(whole())

    def put_blob(self, mount_from: str = "") -> bool:
        return bool(self.run(lambda to: to.blob(DIGEST, len(BLOB), pieces, mount_from)))


async def pieces() -> AsyncIterator[bytes]:
    yield BLOB[:4]
    yield BLOB[4:]


def begun(location: str = "/v2/shop/blobs/uploads/1?state=s") -> Said:
    return Said(202, headers={"location": location})


def refusal(status: int, message: str) -> Said:
    body = json.dumps({"errors": [{"code": "WORD", "message": message}]})
    return Said(status, content=body.encode())


def made() -> Said:
    return Said(201)


CHALLENGE = {"www-authenticate": 'Basic realm="r"'}


def test_a_blob_is_put_where_the_registry_says() -> None:
    registry = Registry(begun(), made())
    assert registry.put_blob() is True
    assert registry.asked == [
        ("POST", "/v2/shop/blobs/uploads/", b""),
        ("PUT", f"/v2/shop/blobs/uploads/1?state=s&digest=sha256%3A{'a' * 64}", BLOB),
    ]
    assert registry.headers[1]["content-length"] == "10"
    assert "transfer-encoding" not in registry.headers[1]


def test_a_blob_that_was_found_elsewhere_is_not_sent() -> None:
    registry = Registry(made())
    assert registry.put_blob("other") is False
    assert registry.asked == [
        ("POST", f"/v2/shop/blobs/uploads/?mount=sha256%3A{'a' * 64}&from=other", b"")
    ]


def test_a_blob_that_was_not_found_elsewhere_is_sent() -> None:
    assert Registry(begun(), made()).put_blob("other") is True


def test_a_lost_connection_is_begun_anew_with_the_whole_blob() -> None:
    registry = Registry(begun(), httpx2.WriteError("broken pipe"), begun(), made())
    registry.put_blob()
    assert [body for *_, body in registry.asked] == [b"", BLOB, b"", BLOB]


def test_a_registry_that_has_no_time_is_asked_again() -> None:
    Registry(Said(503), begun(), Said(429), begun(), made()).put_blob()


def test_a_registry_that_never_has_time_is_given_up() -> None:
    registry = Registry(*(refusal(500, "no space left on device") for _ in range(3)))
    with pytest.raises(BuildError, match=r"it answers 500 \(no space left on device\)"):
        registry.put_blob()


def test_who_is_asked_shows_the_token_from_then_on() -> None:
    registry = Registry(Said(401, headers=CHALLENGE), begun(), made())
    registry.put_blob()
    assert ["authorization" in one for one in registry.headers] == [False, True, True]


def test_the_token_is_not_shown_to_who_keeps_the_blobs() -> None:
    registry = Registry(Said(401, headers=CHALLENGE), begun("https://store.example/1"), made())
    registry.put_blob()
    assert "authorization" not in registry.headers[-1]


@pytest.mark.parametrize("location", ["", "ftp://store.example/1", "https://a..b/1"])
def test_a_place_that_is_none_is_refused(location: str) -> None:
    with pytest.raises(BuildError, match="it says to send to nowhere"):
        Registry(begun(location)).put_blob()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (refusal(403, "read only"), r"does not take our API token for app 'shop' \(read only\)"),
        (Said(401, headers=CHALLENGE), r"does not take our API token"),
        (Said(401), r"does not take our API token"),
        (refusal(404, "unknown"), r"has no app 'shop' .*ephemera apps create shop"),
        (refusal(507, "full"), r"it has no room left \(full\)"),
        (refusal(413, "large"), r"a layer is too large for it \(large\)"),
        (refusal(400, "digest invalid"), r"it answers 400 \(digest invalid\)"),
        (refusal(400, "\x1b[2J"), r"it answers 400 \('\\x1b\[2J'\)"),
        (Said(400, content=b"<html>"), r"shop:one: it answers 400 \("),
    ],
)
def test_a_no_is_told_in_words(answer: Said, message: str) -> None:
    with pytest.raises(BuildError, match=message) as refused:
        Registry(answer, answer).put_blob()
    assert "a-secret-token" not in str(refused.value)


@pytest.mark.parametrize(("status", "there"), [(200, True), (307, True), (404, False)])
def test_a_blob_is_there_or_not(status: int, there: bool) -> None:
    registry = Registry(Said(status))
    assert registry.run(lambda to: to.has(DIGEST)) is there


def test_a_manifest_is_put_under_its_tag() -> None:
    registry = Registry(httpx2.ConnectError("refused"), made())
    registry.run(lambda to: to.manifest(Document("kind/of", b"{}")))
    assert registry.asked[-1] == ("PUT", "/v2/shop/manifests/one", b"{}")
    assert registry.headers[-1]["content-type"] == "kind/of"
