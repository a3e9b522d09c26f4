"""Pushing to the platform's own registry: a client, and things that are not there yet."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import httpx2
import pytest

from ephemera.testing.serving import Server
from tests import images
from tests.images import Blob, Built


@pytest.fixture
def blobs(server: Server) -> Iterator[httpx2.Client]:
    """A client that is logged in as `docker login` would do it."""
    with httpx2.Client(base_url=server.endpoint.url, auth=("x", server.token), timeout=30) as http:
        yield http


def small_image(content: bytes = b"") -> Built:
    """Return an image that is not anywhere yet."""
    return images.build(images.layer(images.file("it", content or secrets.token_bytes(8))))


def new_blob(size: int = 1000) -> Blob:
    """Return a blob that is not anywhere yet."""
    return Blob("application/octet-stream", secrets.token_bytes(size))


def said(answer: httpx2.Response, status: int, code: str) -> str:
    """Return the message of an error, which is of this kind and in the right form."""
    assert answer.status_code == status, answer.text
    (error,) = answer.json()["errors"]
    assert error["code"] == code
    return str(error["message"])


def begun(http: httpx2.Client, name: str) -> str:
    """Return where a new upload is sent to."""
    answer = http.post(f"/v2/{name}/blobs/uploads/")
    assert (answer.status_code, answer.headers["range"]) == (202, "0-0")
    return str(answer.headers["location"])
