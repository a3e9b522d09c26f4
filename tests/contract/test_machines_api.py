"""The embedded platform is held to the contract of the Machines API, with both drivers."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from ephemera.testing.machines_api import (
    MOCK,
    SHELL,
    AddressesContract,
    AppsContract,
    CertificatesContract,
    ChecksContract,
    ConfigContract,
    ConfigProgramsContract,
    CordonContract,
    CreationContract,
    DeployTokensContract,
    DestroyContract,
    EventsContract,
    ExecContract,
    LeasesContract,
    ListsContract,
    LogsContract,
    LoopbackAddressesContract,
    MemoryContract,
    MetadataContract,
    MountsContract,
    MovesContract,
    NoAuthorityContract,
    OrgMachinesContract,
    OrgVolumesContract,
    PlacementsContract,
    ProcessesContract,
    RealProgramsContract,
    RefusalsContract,
    RegionsContract,
    RestartPolicyContract,
    SecretKeysContract,
    SecretsContract,
    SecretsInMachinesContract,
    SnapshotsContract,
    StandbysContract,
    Subject,
    SuspendContract,
    TokensContract,
    UpdateContract,
    VersionsContract,
    VolumesContract,
    VolumesInMachinesContract,
    WaitContract,
)
from ephemera.testing.serving import serving
from tests import needs

_CONTAINER = pytest.param(
    "container", marks=[pytest.mark.root, pytest.mark.crun, needs.root, needs.crun]
)


@pytest.fixture(scope="module", params=["process", "mock", _CONTAINER])
def machines_api(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Subject]:
    driver: str = request.param
    programs = MOCK if driver == "mock" else SHELL
    with serving(tmp_path_factory.mktemp(driver), driver=driver) as server:
        yield Subject(server.endpoint.url, server.token, programs=programs)


class TestApps(AppsContract): ...


class TestCreation(CreationContract): ...


class TestConfig(ConfigContract): ...


class TestChecks(ChecksContract): ...


class TestStandbys(StandbysContract): ...


@pytest.mark.parametrize("machines_api", ["process"], indirect=True)
class TestConfigPrograms(ConfigProgramsContract): ...


class TestLists(ListsContract): ...


class TestMoves(MovesContract): ...


@pytest.mark.skipif(sys.platform != "linux", reason="no driver suspends elsewhere")
class TestSuspend(SuspendContract): ...


class TestCordon(CordonContract): ...


@pytest.mark.skipif(sys.platform != "linux", reason="no driver lists processes elsewhere")
class TestProcesses(ProcessesContract): ...


@pytest.mark.skipif(sys.platform != "linux", reason="no driver lists processes elsewhere")
class TestMemory(MemoryContract): ...


class TestVersions(VersionsContract): ...


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


class TestSecrets(SecretsContract): ...


class TestSecretKeys(SecretKeysContract): ...


@pytest.mark.parametrize("machines_api", ["process"], indirect=True)
class TestRealPrograms(RealProgramsContract): ...


@pytest.mark.parametrize("machines_api", ["process"], indirect=True)
class TestSecretsInMachines(SecretsInMachinesContract): ...


class TestDeployTokens(DeployTokensContract): ...


class TestTokens(TokensContract): ...


class TestAddresses(AddressesContract): ...


class TestLoopbackAddresses(LoopbackAddressesContract): ...


class TestCertificates(CertificatesContract): ...


class TestNoAuthority(NoAuthorityContract): ...


class TestOrgMachines(OrgMachinesContract): ...


class TestPlacements(PlacementsContract): ...


class TestRegions(RegionsContract): ...


class TestOrgVolumes(OrgVolumesContract): ...


class TestVolumes(VolumesContract): ...


class TestMounts(MountsContract): ...


class TestSnapshots(SnapshotsContract): ...


@pytest.mark.parametrize("machines_api", ["process"], indirect=True)
class TestVolumesInMachines(VolumesInMachinesContract): ...
