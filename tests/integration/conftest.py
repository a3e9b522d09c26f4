"""One platform for all tests of a file that do it no harm.

A file that says `DRIVER = "mock"` has one with that driver.
"""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest

from ephemera.testing.machines_api import MOCK, SHELL, AppUnderTest, Subject
from ephemera.testing.serving import Server, serving


def _driver(request: pytest.FixtureRequest) -> str:
    return str(getattr(request.module, "DRIVER", "process"))


@pytest.fixture(scope="module")
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("platform"), driver=_driver(request)) as served:
        yield served


@pytest.fixture(scope="module")
def subject(request: pytest.FixtureRequest, server: Server) -> Subject:
    programs = MOCK if _driver(request) == "mock" else SHELL
    return Subject(server.endpoint.url, server.token, programs=programs)


@pytest.fixture(scope="module")
def http(subject: Subject) -> Iterator[httpx2.Client]:
    with subject.connect() as client:
        yield client


@pytest.fixture
def app(subject: Subject, http: httpx2.Client) -> Iterator[AppUnderTest]:
    with AppUnderTest.made(subject, http) as made:
        yield made
