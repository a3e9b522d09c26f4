"""The embedded platform is held to the contract of the Machines API, with both drivers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ephemera.testing.machines_api import (
    MOCK,
    SHELL,
    AppsContract,
    CreationContract,
    DestroyContract,
    EventsContract,
    ExecContract,
    LeasesContract,
    ListsContract,
    LogsContract,
    MetadataContract,
    MovesContract,
    RealProgramsContract,
    RefusalsContract,
    RestartPolicyContract,
    Subject,
    UpdateContract,
    WaitContract,
)
from ephemera.testing.serving import serving


@pytest.fixture(scope="module", params=["process", "mock"])
def machines_api(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Subject]:
    driver: str = request.param
    programs = {"process": SHELL, "mock": MOCK}[driver]
    with serving(tmp_path_factory.mktemp(driver), driver=driver) as server:
        yield Subject(server.endpoint.url, server.token, programs=programs)


class TestApps(AppsContract): ...


class TestCreation(CreationContract): ...


class TestLists(ListsContract): ...


class TestMoves(MovesContract): ...


class TestUpdate(UpdateContract): ...


class TestDestroy(DestroyContract): ...


class TestWait(WaitContract): ...


class TestEvents(EventsContract): ...


class TestRestartPolicy(RestartPolicyContract): ...


class TestMetadata(MetadataContract): ...


class TestLeases(LeasesContract): ...


class TestExec(ExecContract): ...


class TestLogs(LogsContract): ...


class TestRefusals(RefusalsContract): ...


@pytest.mark.parametrize("machines_api", ["process"], indirect=True)
class TestRealPrograms(RealProgramsContract): ...
