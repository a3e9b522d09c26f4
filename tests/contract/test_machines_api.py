"""The embedded platform is held to the contract of the Machines API.

What machines do is held with every driver. What the server does by itself, with what is in its
database, is held with one: the other drivers are never asked there.
"""

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


#: With the driver that takes the least.
_of_the_server = pytest.mark.parametrize("machines_api", ["mock"], indirect=True)
#: With the one driver that starts programs and needs nothing of the computer.
_of_programs = pytest.mark.parametrize("machines_api", ["process"], indirect=True)
#: With those that keep files.
_of_real_files = pytest.mark.parametrize("machines_api", ["process", _CONTAINER], indirect=True)


@_of_programs
class TestApps(AppsContract): ...


class TestCreation(CreationContract): ...


@_of_the_server
class TestConfig(ConfigContract): ...


class TestChecks(ChecksContract): ...


class TestStandbys(StandbysContract): ...


@_of_programs
class TestConfigPrograms(ConfigProgramsContract): ...


@_of_the_server
class TestLists(ListsContract): ...


class TestMoves(MovesContract): ...


@pytest.mark.skipif(sys.platform != "linux", reason="no driver suspends elsewhere")
class TestSuspend(SuspendContract): ...


class TestCordon(CordonContract): ...


@pytest.mark.skipif(sys.platform != "linux", reason="no driver lists processes elsewhere")
class TestProcesses(ProcessesContract): ...


@pytest.mark.skipif(sys.platform != "linux", reason="no driver lists processes elsewhere")
class TestMemory(MemoryContract): ...


@_of_the_server
class TestVersions(VersionsContract): ...


class TestUpdate(UpdateContract): ...


class TestDestroy(DestroyContract): ...


class TestWait(WaitContract): ...


class TestEvents(EventsContract): ...


class TestRestartPolicy(RestartPolicyContract): ...


@_of_the_server
class TestMetadata(MetadataContract): ...


@_of_the_server
class TestLeases(LeasesContract): ...


class TestExec(ExecContract): ...


class TestLogs(LogsContract): ...


@_of_the_server
class TestRefusals(RefusalsContract): ...


@_of_the_server
class TestSecrets(SecretsContract): ...


@_of_the_server
class TestSecretKeys(SecretKeysContract): ...


@_of_programs
class TestRealPrograms(RealProgramsContract): ...


@_of_programs
class TestSecretsInMachines(SecretsInMachinesContract): ...


@_of_the_server
class TestDeployTokens(DeployTokensContract): ...


@_of_the_server
class TestTokens(TokensContract): ...


class TestAddresses(AddressesContract): ...


@_of_the_server
class TestLoopbackAddresses(LoopbackAddressesContract): ...


@_of_the_server
class TestCertificates(CertificatesContract): ...


@_of_the_server
class TestNoAuthority(NoAuthorityContract): ...


@_of_the_server
class TestOrgMachines(OrgMachinesContract): ...


@_of_the_server
class TestPlacements(PlacementsContract): ...


@_of_the_server
class TestRegions(RegionsContract): ...


@_of_the_server
class TestOrgVolumes(OrgVolumesContract): ...


@_of_real_files
class TestVolumes(VolumesContract): ...


@_of_real_files
class TestMounts(MountsContract): ...


@_of_real_files
class TestSnapshots(SnapshotsContract): ...


@_of_programs
class TestVolumesInMachines(VolumesInMachinesContract): ...
