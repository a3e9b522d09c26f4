"""Deploys on Fly.io as far as it is known: within its limits, and whole whatever passes wrong.

A deploy goes on after an error that passes. After any other the release before it serves on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from ephemera import Client
from ephemera.deploy import flytoml
from ephemera.deploy.release import labels
from ephemera.deploy.release.deploying import Order, deploy
from ephemera.deploy.release.image import Image
from ephemera.deploy.release.making import Manner
from ephemera.deploy.release.scaling import scale_count
from ephemera.errors import DeployError, NoCapacity
from tests.fly.standin import Fault, StandIn
from tests.release_world import WEB_OFFERS

WEB = f"""\
[processes]
web = "run"
{WEB_OFFERS}
"""
MACHINES = "/v1/apps/{app_name}/machines"
ONE = f"{MACHINES}/{{machine_id}}"
GATEWAY, INTERNAL = (502, "bad gateway"), (500, "internal error")
LIMITED = (429, "resource_exhausted: rate limit exceeded")
DEADLINE = (408, "deadline_exceeded: machine failed to reach desired state, started, currently X")


class Shop:
    """An app, deployed with a client that goes to Fly.io.

    Attributes:
        said: The lines that were said of its releases.
        version: Of the newest image that was to be deployed.
    """

    def __init__(self, fly: StandIn, folder: Path) -> None:
        self.app = f"shop-{uuid4().hex[:8]}"
        self.fly = fly
        self.said: list[str] = []
        self.version = 0
        self._file = folder / "fly.toml"
        self.client = Client()

    def deploy(self, *, more: str = "") -> None:
        """Deploy the next version."""
        self._file.write_text(f'app = "{self.app}"\n{WEB}{more}\n')
        toml = flytoml.load(self._file)
        order = Order(app=self.app, toml=toml, manner=self.manner)
        self.version += 1
        image = Image(f"registry.fly.io/shop:v{self.version}")
        deploy(self.client, order, lambda: image)

    @property
    def manner(self) -> Manner:
        return Manner(self.said.append, patience_s=300)

    def serving(self) -> list[int]:
        """Return the versions that requests are sent to."""
        server = self.fly.server
        with Client(server.endpoint.url, server.token) as client:
            found = labels.managed(client.machines.list(self.app))
        serve = [one for one in found if one.state == "started" and not one.cordoned]
        images = [one.config.image or "" for one in serve if one.config]
        return sorted(int(image.rpartition(":v")[2]) for image in images)

    def leases(self) -> int:
        """Return how many machines somebody holds."""
        server = self.fly.server
        with Client(server.endpoint.url, server.token) as client:
            found = client.machines.list(self.app, include_leases=True)
        return sum(one.lease is not None for one in found)


@pytest.fixture
def shop(fly: StandIn, tmp_path: Path) -> Iterator[Shop]:
    """An app that is not there yet."""
    made = Shop(fly, tmp_path)
    yield made
    made.client.close()


@pytest.fixture(scope="module")
def deployed(fly: StandIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """An app with two machines, of which one after the other is changed."""
    made = Shop(fly, tmp_path_factory.mktemp("shop"))
    made.deploy()
    yield made
    made.client.close()


@pytest.fixture(autouse=True)
def _within_its_rights(fly: StandIn) -> Iterator[None]:
    yield
    assert fly.wrong == []


#: What goes wrong while a machine is changed in its place.
PASSING = [
    Fault(f"POST {ONE}", *LIMITED, left=2),
    Fault(f"POST {ONE}", *INTERNAL),
    Fault(f"POST {ONE}", *INTERNAL, applied=True),
    Fault(f"POST {ONE}", *GATEWAY, applied=True),
    Fault(f"POST {ONE}", 409, "aborted: machine update failed due to concurrent update"),
    Fault(f"POST {ONE}", 412, "failed_precondition: machine getting replaced, refusing to start"),
    Fault(f"POST {ONE}/cordon", *INTERNAL),
    Fault(f"POST {ONE}/uncordon", *GATEWAY, left=2),
    Fault(f"POST {ONE}/lease", *INTERNAL),
    Fault(f"POST {ONE}/lease", *INTERNAL, applied=True),
    Fault(f"GET {ONE}/wait", *DEADLINE, left=3),
    Fault(f"GET {ONE}", *INTERNAL),
    Fault(f"GET {ONE}/wait", *INTERNAL),
    Fault(f"PATCH {ONE}/metadata", *LIMITED, left=3),
]


def _ids(fault: Fault) -> str:
    what = fault.operation.replace(ONE, "machine").replace(MACHINES, "machines")
    return f"{fault.status} {what}{' applied' * fault.applied}".replace(" ", "-")


@pytest.mark.parametrize("fault", PASSING, ids=_ids)
def test_a_deploy_goes_on_after_what_passes(deployed: Shop, fault: Fault) -> None:
    fault = replace(fault)  # it counts
    with deployed.fly.failing(fault):
        deployed.deploy()
    assert fault.left == 0
    assert deployed.serving() == [deployed.version] * 2
    assert deployed.leases() == 0


#: What goes wrong while an app gets its first machine.
FIRST = [
    Fault(f"POST {MACHINES}", *LIMITED, left=2),
    Fault(f"POST {MACHINES}", *INTERNAL),
    Fault(f"POST {MACHINES}", *INTERNAL, applied=True),
    Fault(f"POST {MACHINES}", 408, "deadline_exceeded", applied=True),
    Fault(f"GET {ONE}", 404, "machine not found", left=3),
    Fault(f"GET {ONE}/wait", 404, "machine not found", left=3),
    Fault(f"GET {MACHINES}", 404, "app not found", left=3),
    Fault(f"GET {MACHINES}", 401, "unauthorized", left=2),
    Fault("POST /v1/apps", *GATEWAY, applied=True),
]


@pytest.mark.parametrize("fault", FIRST, ids=_ids)
def test_a_first_deploy_goes_on_after_what_passes(shop: Shop, fault: Fault) -> None:
    fault = replace(fault)  # it counts
    with shop.fly.failing(fault):
        shop.deploy()
    assert fault.left == 0
    assert shop.serving() == [1, 1]


FULL = "aborted: could not reserve resource for machine: insufficient memory available"


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(f"POST {ONE}", 409, FULL), NoCapacity),
        (Fault(f"POST {ONE}/uncordon", 422, "no"), Exception),
        (Fault(f"POST {ONE}", *INTERNAL, left=5), Exception),
    ],
)
def test_after_any_other_error_the_release_before_serves_on(
    deployed: Shop, fault: Fault, error: type[Exception]
) -> None:
    fault, before = replace(fault), deployed.serving()
    with deployed.fly.failing(fault), pytest.raises(error):
        deployed.deploy()
    assert fault.left == 0
    assert deployed.serving() == before
    assert deployed.leases() == 0


def test_a_bluegreen_deploy_with_a_release_command_asks_for_what_fly_has(deployed: Shop) -> None:
    deployed.deploy(more='[deploy]\nrelease_command = "print migrated"\nstrategy = "bluegreen"')
    assert deployed.serving() == [deployed.version] * 2
    assert "  migrated" in deployed.said


def test_a_release_command_whose_lines_cannot_be_read_is_run_nevertheless(deployed: Shop) -> None:
    log = Fault("GET /api/v1/apps/{app_name}/logs", 401, "unauthorized", left=9)
    with deployed.fly.failing(log):
        deployed.deploy(more='[deploy]\nrelease_command = "print migrated"')
    assert deployed.serving() == [deployed.version] * 2
    assert log.left == 8
    assert any("its lines cannot be shown" in line for line in deployed.said)


def test_a_release_command_is_waited_for_though_the_api_cannot_answer(deployed: Shop) -> None:
    fault, said = Fault(f"GET {ONE}", *INTERNAL, left=2), len(deployed.said)
    with deployed.fly.failing(fault):
        deployed.deploy(more='[deploy]\nrelease_command = "print migrated"')
    assert fault.left == 0
    assert deployed.said[said:].count("  migrated") == 1
    assert deployed.serving() == [deployed.version] * 2


def test_a_release_command_that_fails_stops_the_release(deployed: Shop) -> None:
    before = deployed.serving()
    with pytest.raises(DeployError, match="exit code 3"):
        deployed.deploy(more='[deploy]\nrelease_command = "exit 3"')
    assert deployed.serving() == before


def test_ten_machines_are_deployed_within_the_limits(deployed: Shop) -> None:
    limited = deployed.fly.limited
    scale_count(deployed.client, deployed.app, {"web": 10}, deployed.manner)
    deployed.deploy()
    assert deployed.serving() == [deployed.version] * 10
    scale_count(deployed.client, deployed.app, {"web": 0}, deployed.manner)
    assert deployed.serving() == []
    assert deployed.fly.limited == limited
    assert deployed.leases() == 0
