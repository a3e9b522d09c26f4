"""The clients against a server that fails on purpose: nothing is lost, nothing made twice."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from ephemera.client import AsyncClient, Client
from ephemera.errors import Invalid, NoAnswer, NoCapacity
from ephemera.testing.faults import Faults
from ephemera.testing.serving import Server
from tests.integration.either_client import Caller

DRIVER = "mock"
RUNS = {"image": "host", "init": {"exec": ["run"]}, "restart": {"policy": "no"}}
MACHINES = "/v1/apps/{app_name}/machines"
NO_ROOM = [
    "no_host",
    "host_full",
    "host_cpus_full",
    "no_ips",
    "no_capacity",
    "volume_host_full",
    "quota",
]


@pytest.fixture
def faults(server: Server) -> Iterator[Faults]:
    faults = Faults(server.endpoint.url, server.token)
    yield faults
    faults.clear()
    faults.close()


@pytest.fixture(params=[Client, AsyncClient], ids=["sync", "async"])
def call(request: pytest.FixtureRequest, server: Server) -> Iterator[Caller]:
    caller = Caller(request.param, server.endpoint.url, server.token)
    yield caller
    caller.close()


@pytest.fixture
def app(call: Caller, faults: Faults) -> Iterator[str]:
    name = f"app-{uuid4().hex[:12]}"
    call(lambda c: c.apps.create(name))
    yield name
    faults.clear()
    call(lambda c: c.apps.delete(name, force=True))


def _ids(call: Caller, app: str) -> list[str]:
    return [machine.id for machine in call(lambda c: c.machines.list(app, include_deleted=True))]


@pytest.mark.parametrize("preset", NO_ROOM)
def test_without_room_the_next_region_gets_the_machine(
    call: Caller, app: str, faults: Faults, preset: str
) -> None:
    full = faults.error(preset, app=app, times=2)
    made = call(lambda c: c.machines.create(app, config=RUNS, region=["ams", "fra", "iad"]))
    assert full.hits == 2
    assert _ids(call, app) == [made.id]


def test_where_no_region_has_room_nothing_is_made(call: Caller, app: str, faults: Faults) -> None:
    full = faults.error("no_host", app=app)
    with pytest.raises(NoCapacity, match=r"in ams: .*; .* in fra: "):
        call(lambda c: c.machines.create(app, config=RUNS, region=["ams", "fra"]))
    assert full.hits == 2
    assert _ids(call, app) == []


def test_what_is_no_want_of_room_ends_the_search(call: Caller, app: str, faults: Faults) -> None:
    refused = faults.error("payment_needed", app=app)
    with pytest.raises(Invalid, match="payment"):
        call(lambda c: c.machines.create(app, config=RUNS, region=["ams", "fra"]))
    assert refused.hits == 1


@pytest.mark.parametrize("kind", ["lost_answer", "dropped"])
def test_a_create_whose_connection_breaks_makes_one_machine(
    call: Caller, app: str, faults: Faults, kind: str
) -> None:
    fault = getattr(faults, kind)(method="POST", path=MACHINES, app=app, times=1)
    made = call(lambda c: c.machines.create(app, config=RUNS, region=["ams", "fra"]))
    assert fault.hits == 1
    assert _ids(call, app) == [made.id]


def test_a_create_that_a_server_fails_at_is_made_once(
    call: Caller, app: str, faults: Faults
) -> None:
    faults.error("server_error", method="POST", path=MACHINES, app=app, times=1)
    made = call(lambda c: c.machines.create(app, config=RUNS))
    assert _ids(call, app) == [made.id]


def test_an_app_whose_answer_is_lost_is_found(call: Caller, faults: Faults) -> None:
    name = f"app-{uuid4().hex[:12]}"
    fault = faults.lost_answer(method="POST", path="/v1/apps", times=1)
    assert call(lambda c: c.apps.create(name)).name == name
    assert fault.hits == 1
    call(lambda c: c.apps.delete(name))


def test_a_volume_whose_answer_is_lost_is_not_made_again(
    call: Caller, app: str, faults: Faults
) -> None:
    faults.lost_answer(method="POST", path="/v1/apps/{app_name}/volumes", app=app)
    with pytest.raises(NoAnswer):
        call(lambda c: c.volumes.create(app, name="data", size_gb=1))
    assert len(call(lambda c: c.volumes.list(app))) == 1


def test_a_volume_without_room_is_told_from_a_bad_request(
    call: Caller, app: str, faults: Faults
) -> None:
    with faults.error("volume_no_room", app=app), pytest.raises(NoCapacity):
        call(lambda c: c.volumes.create(app, name="data", size_gb=1))


@pytest.mark.parametrize("preset", ["bad_gateway", "unavailable"])
def test_a_gateway_in_trouble_is_asked_again(
    call: Caller, app: str, faults: Faults, preset: str
) -> None:
    fault = faults.error(preset, method="GET", app=app, times=2)
    assert call(lambda c: c.apps.get(app)).name == app
    assert fault.hits == 2


def test_a_rate_limit_is_waited_for(call: Caller, app: str, faults: Faults) -> None:
    limited = {"error": "resource_exhausted: rate limit exceeded"}
    fault = faults.answer(429, limited, {"retry-after": "0"}, method="POST", app=app, times=2)
    assert call(lambda c: c.secrets.set(app, "A", "x")).version == 1
    assert fault.hits == 2


def test_a_deletion_whose_answer_is_lost_is_done(call: Caller, app: str, faults: Faults) -> None:
    given = call(lambda c: c.ips.assign(app, "private_v6"))
    faults.lost_answer(method="DELETE", app=app, times=1)
    call(lambda c: c.ips.release(app, given.ip))
    assert call(lambda c: c.ips.list(app)) == []
