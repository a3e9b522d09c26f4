"""The contract of the Machines API, as tests that know a base URL and a token and nothing else.

Whatever claims to speak the API, Fly.io or an emulator of it, is held to the same suite. A test
file names the subject in a fixture and inherits the classes that concern it:

```python
@pytest.fixture(scope="session")
def machines_api() -> Subject:
    return Subject("https://api.machines.dev", token=os.environ["FLY_API_TOKEN"], image="busybox")

class TestApps(AppsContract): ...
class TestWait(WaitContract): ...
```

Raw HTTP on purpose: a fault that our client and our server share would otherwise never be seen.
Every test makes an app of its own and destroys it, machines and all. Where the documentation
leaves a choice, the suite takes either answer.
"""

from ephemera.testing.machines_api.addresses import AddressesContract, LoopbackAddressesContract
from ephemera.testing.machines_api.apps import AppsContract
from ephemera.testing.machines_api.certificates import CertificatesContract, NoAuthorityContract
from ephemera.testing.machines_api.configs import (
    ChecksContract,
    ConfigContract,
    ConfigProgramsContract,
    StandbysContract,
)
from ephemera.testing.machines_api.creation import CreationContract
from ephemera.testing.machines_api.events import EventsContract, RestartPolicyContract
from ephemera.testing.machines_api.leases import LeasesContract
from ephemera.testing.machines_api.limits import LimitsContract
from ephemera.testing.machines_api.lists import ListsContract
from ephemera.testing.machines_api.logs import LogsContract
from ephemera.testing.machines_api.metadata import MetadataContract
from ephemera.testing.machines_api.mounts import MountsContract, VolumesInMachinesContract
from ephemera.testing.machines_api.moves import DestroyContract, MovesContract, UpdateContract
from ephemera.testing.machines_api.orgs import OrgMachinesContract, OrgVolumesContract
from ephemera.testing.machines_api.places import PlacementsContract, RegionsContract
from ephemera.testing.machines_api.programs import ExecContract, RealProgramsContract
from ephemera.testing.machines_api.refusals import RefusalsContract
from ephemera.testing.machines_api.secretkeys import SecretKeysContract
from ephemera.testing.machines_api.secrets import SecretsContract, SecretsInMachinesContract
from ephemera.testing.machines_api.sleeping import CordonContract, SuspendContract
from ephemera.testing.machines_api.subject import (
    MOCK,
    SHELL,
    AppUnderTest,
    Contract,
    Programs,
    Subject,
    answered,
    refused,
)
from ephemera.testing.machines_api.tokens import DeployTokensContract, TokensContract
from ephemera.testing.machines_api.vitals import (
    MemoryContract,
    ProcessesContract,
    VersionsContract,
)
from ephemera.testing.machines_api.volumes import SnapshotsContract, VolumesContract
from ephemera.testing.machines_api.waiting import WaitContract

__all__ = [
    "MOCK",
    "SHELL",
    "AddressesContract",
    "AppUnderTest",
    "AppsContract",
    "CertificatesContract",
    "ChecksContract",
    "ConfigContract",
    "ConfigProgramsContract",
    "Contract",
    "CordonContract",
    "CreationContract",
    "DeployTokensContract",
    "DestroyContract",
    "EventsContract",
    "ExecContract",
    "LeasesContract",
    "LimitsContract",
    "ListsContract",
    "LogsContract",
    "LoopbackAddressesContract",
    "MemoryContract",
    "MetadataContract",
    "MountsContract",
    "MovesContract",
    "NoAuthorityContract",
    "OrgMachinesContract",
    "OrgVolumesContract",
    "PlacementsContract",
    "ProcessesContract",
    "Programs",
    "RealProgramsContract",
    "RefusalsContract",
    "RegionsContract",
    "RestartPolicyContract",
    "SecretKeysContract",
    "SecretsContract",
    "SecretsInMachinesContract",
    "SnapshotsContract",
    "StandbysContract",
    "Subject",
    "SuspendContract",
    "TokensContract",
    "UpdateContract",
    "VersionsContract",
    "VolumesContract",
    "VolumesInMachinesContract",
    "WaitContract",
    "answered",
    "refused",
]
