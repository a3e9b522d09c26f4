"""One platform for all tests of a file that do it no harm."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest

from ephemera.testing.machines_api import SHELL, AppUnderTest, Subject
from ephemera.testing.serving import Server, serving


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("platform")) as served:
        yield served


@pytest.fixture(scope="module")
def subject(server: Server) -> Subject:
    return Subject(server.endpoint.url, server.token, programs=SHELL)


@pytest.fixture(scope="module")
def http(subject: Subject) -> Iterator[httpx2.Client]:
    with subject.connect() as client:
        yield client


@pytest.fixture
def app(subject: Subject, http: httpx2.Client) -> Iterator[AppUnderTest]:
    with AppUnderTest.made(subject, http) as made:
        yield made
