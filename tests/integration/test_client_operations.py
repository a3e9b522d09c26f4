"""Every group of the clients' methods against a real server: what one sends, the other takes."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from ephemera.client import AsyncClient, Client
from ephemera.errors import Conflict, Invalid, NotFound, Unauthorized, WaitTimeout, WrongState
from ephemera.testing.serving import Server
from ephemera.wire.models import Machine
from tests.integration.either_client import Caller

DRIVER = "mock"
RUNS = {"image": "host", "init": {"exec": ["run"]}, "restart": {"policy": "no"}}


@pytest.fixture(params=[Client, AsyncClient], ids=["sync", "async"])
def call(request: pytest.FixtureRequest, server: Server) -> Iterator[Caller]:
    caller = Caller(request.param, server.endpoint.url, server.token)
    yield caller
    caller.close()


@pytest.fixture
def app(call: Caller) -> Iterator[str]:
    name = f"app-{uuid4().hex[:12]}"
    call(lambda c: c.apps.create(name))
    yield name
    call(lambda c: c.apps.delete(name, force=True))


@pytest.fixture
def machine(call: Caller, app: str) -> Machine:
    """A started machine."""
    made: Machine = call(lambda c: c.machines.create(app, config=RUNS))
    call(lambda c: c.machines.wait(app, made.id, "started"))
    return made


def test_an_app_is_found_and_listed(call: Caller, app: str) -> None:
    assert call(lambda c: c.apps.get(app)).organization.slug == "personal"
    assert app in {found.name for found in call(lambda c: c.apps.list()).apps}


def test_a_machine_is_suspended_and_goes_on(call: Caller, app: str, machine: Machine) -> None:
    call(lambda c: c.machines.suspend(app, machine.id))
    call(lambda c: c.machines.wait(app, machine.id, "suspended"))
    assert call(lambda c: c.machines.start(app, machine.id)).previous_state == "suspended"
    call(lambda c: c.machines.wait(app, machine.id, "started"))


def test_a_machine_is_cordoned_and_uncordoned(call: Caller, app: str, machine: Machine) -> None:
    call(lambda c: c.machines.cordon(app, machine.id))
    assert call(lambda c: c.machines.get(app, machine.id)).cordoned
    call(lambda c: c.machines.uncordon(app, machine.id))
    assert not call(lambda c: c.machines.get(app, machine.id)).cordoned


def test_a_machine_may_begin_cordoned_and_stopped(call: Caller, app: str) -> None:
    made = call(
        lambda c: c.machines.create(
            app, config=RUNS, skip_launch=True, skip_service_registration=True, skip_secrets=True
        )
    )
    call(lambda c: c.machines.wait(app, made.id, "settled"))
    found = call(lambda c: c.machines.get(app, made.id))
    assert (found.state, found.cordoned) == ("stopped", True)


def test_what_is_inside_a_machine_is_seen(call: Caller, app: str, machine: Machine) -> None:
    (process,) = call(lambda c: c.machines.ps(app, machine.id, sort_by="rss", order="desc"))
    assert process.command == "run"
    memory = call(lambda c: c.machines.memory(app, machine.id))
    assert 0 < memory.available_mb < memory.limit_mb
    limit_mb = memory.limit_mb - 8
    less = call(lambda c: c.machines.set_memory(app, machine.id, limit_mb=limit_mb))
    assert less.limit_mb == limit_mb
    assert call(lambda c: c.machines.reclaim_memory(app, machine.id, amount_mb=1)).actual_mb >= 0


def test_an_update_makes_a_version(call: Caller, app: str, machine: Machine) -> None:
    config = {**RUNS, "env": {"A": "1"}}
    updated = call(lambda c: c.machines.update(app, machine.id, config=config, lease_ttl=5))
    newest, oldest = call(lambda c: c.machines.versions(app, machine.id))
    assert (newest.version, oldest.version) == (updated.instance_id, machine.instance_id)
    assert newest.user_config.env == {"A": "1"}
    assert updated.nonce


def test_a_wait_may_be_for_what_is_yet_to_come(call: Caller, app: str, machine: Machine) -> None:
    newest = call(lambda c: c.machines.events(app, machine.id))[0]
    with pytest.raises(WaitTimeout):
        call(
            lambda c: c.machines.wait(
                app, machine.id, "started", from_event_id=newest.id, timeout=0.1
            )
        )
    call(lambda c: c.machines.stop(app, machine.id))
    done = call(
        lambda c: c.machines.wait(app, machine.id, "stopped", from_event_id=newest.id, timeout=40)
    )
    assert done.event_id > newest.id


def test_lists_are_filtered(call: Caller, app: str, machine: Machine) -> None:
    (found,) = call(lambda c: c.machines.list(app, summary=True, state=["started", "failed"]))
    assert (found.id, found.config) == (machine.id, None)
    assert call(lambda c: c.machines.list(app, state="stopped")) == []
    call(lambda c: c.leases.acquire(app, machine.id, ttl=60, description="why"))
    (leased,) = call(lambda c: c.machines.list(app, include_leases=True))
    assert leased.lease.description == "why"


def test_a_held_lease_keeps_others_out(server: Server, app: str, machine: Machine) -> None:
    with (
        Client(server.endpoint.url, server.token) as client,
        client.leases.hold(app, machine.id, description="mine") as lease,
    ):
        with pytest.raises(Conflict):
            client.machines.stop(app, machine.id)
        client.machines.stop(app, machine.id, nonce=lease.nonce)
        with pytest.raises(Conflict):
            client.leases.acquire(app, machine.id, ttl=5)
    with Client(server.endpoint.url, server.token) as client, pytest.raises(NotFound):
        client.leases.get(app, machine.id)


def test_metadata_is_changed_in_one_go(call: Caller, app: str, machine: Machine) -> None:
    version = machine.instance_id
    call(lambda c: c.machines.replace_metadata(app, machine.id, {"a": "1", "b": "2"}))
    call(
        lambda c: c.machines.update_metadata(
            app, machine.id, {"b": None, "c": "3"}, machine_version=version
        )
    )
    assert call(lambda c: c.machines.metadata(app, machine.id)) == {"a": "1", "c": "3"}
    with pytest.raises(WrongState):
        call(
            lambda c: c.machines.update_metadata(
                app, machine.id, {"a": "9"}, machine_version="01ARZ3NDEKTSV4RRFFQ69G5FAV"
            )
        )


def test_a_machine_is_created_in_one_of_several_regions(call: Caller, app: str) -> None:
    made = call(lambda c: c.machines.create(app, config=RUNS, region=["ams", "local"]))
    assert made.region


def test_a_volume_lives(call: Caller, app: str) -> None:
    volume = call(lambda c: c.volumes.create(app, name="data", size_gb=1))
    assert call(lambda c: c.volumes.get(app, volume.id)).name == "data"
    assert [found.id for found in call(lambda c: c.volumes.list(app))] == [volume.id]
    extended = call(lambda c: c.volumes.extend(app, volume.id, size_gb=2))
    assert extended.volume.size_gb == 2
    changed = call(lambda c: c.volumes.update(app, volume.id, snapshot_retention=7))
    assert changed.snapshot_retention == 7
    call(lambda c: c.volumes.create_snapshot(app, volume.id))
    assert len(call(lambda c: c.volumes.snapshots(app, volume.id))) == 1
    assert app in {found.app_name for found in call(lambda c: c.orgs.volumes())}
    assert call(lambda c: c.volumes.delete(app, volume.id)).id == volume.id


def test_a_volume_that_a_machine_has_is_not_deleted(call: Caller, app: str) -> None:
    volume = call(lambda c: c.volumes.create(app, name="data", size_gb=1))
    config = {**RUNS, "mounts": [{"volume": volume.id, "path": "/data"}]}
    made = call(lambda c: c.machines.create(app, config=config))
    with pytest.raises(WrongState, match=made.id) as caught:
        call(lambda c: c.volumes.delete(app, volume.id))
    assert caught.value.hint == f"destroy machine {made.id} first"


def test_secrets_are_set_and_removed(call: Caller, app: str) -> None:
    one = call(lambda c: c.secrets.set(app, "A", "x"))
    two = call(lambda c: c.secrets.update(app, {"B": "y", "C": "z"}))
    assert two.version > one.version
    gone = call(lambda c: c.secrets.delete(app, "B"))
    assert call(lambda c: c.secrets.update(app, {"C": None})).version > gone.version
    (left,) = call(lambda c: c.secrets.list(app, min_version=gone.version))
    assert (left.name, left.value) == ("A", None)
    assert left.digest == one.digest
    assert call(lambda c: c.secrets.get(app, "A", show_secrets=True)).value == "x"
    with pytest.raises(NotFound):
        call(lambda c: c.secrets.get(app, "B"))
    call(lambda c: c.machines.create(app, config=RUNS, min_secrets_version=one.version))


def test_secret_keys_encrypt(call: Caller, app: str) -> None:
    call(lambda c: c.secret_keys.generate(app, "k", type="xaes256gcm"))
    sealed = call(lambda c: c.secret_keys.encrypt(app, "k", b"\x00hi", associated_data=b"a"))
    assert b"hi" not in sealed
    opened = call(lambda c: c.secret_keys.decrypt(app, "k", sealed, associated_data=b"a"))
    assert opened == b"\x00hi"
    with pytest.raises(Invalid):
        call(lambda c: c.secret_keys.decrypt(app, "k", sealed, associated_data=b"b"))


def test_secret_keys_sign(call: Caller, app: str) -> None:
    call(lambda c: c.secret_keys.set(app, "mine", type="hs256", value=b"k" * 32))
    made = call(lambda c: c.secret_keys.generate(app, "k", type="nacl_sign"))
    assert len(made.public_key) == 32
    signature = call(lambda c: c.secret_keys.sign(app, "k", b"hi"))
    call(lambda c: c.secret_keys.verify(app, "k", b"hi", signature))
    with pytest.raises(Invalid):
        call(lambda c: c.secret_keys.verify(app, "k", b"ho", signature))
    (found,) = call(lambda c: c.secret_keys.list(app, types=["nacl_sign"]))
    assert found.public_key == made.public_key
    assert call(lambda c: c.secret_keys.get(app, "mine")).type.lower() == "hs256"
    assert call(lambda c: c.secret_keys.delete(app, "k")).version > made.version


def test_certificates_are_listed_and_refused(call: Caller, app: str) -> None:
    assert call(lambda c: c.certificates.list(app)) == []
    with pytest.raises(Invalid):
        call(
            lambda c: c.certificates.create_custom(
                app, "a.example.com", fullchain="no", private_key="no"
            )
        )


@pytest.mark.parametrize("name", ["get", "check", "delete", "delete_acme", "delete_custom"])
def test_a_host_name_that_is_not_there_is_not_found(call: Caller, app: str, name: str) -> None:
    with pytest.raises(NotFound):
        call(lambda c: getattr(c.certificates, name)(app, "a.example.com"))


def test_addresses_are_given_and_given_back(call: Caller, app: str) -> None:
    given = call(lambda c: c.ips.assign(app, "private_v6"))
    assert [found.ip for found in call(lambda c: c.ips.list(app))] == [given.ip]
    call(lambda c: c.ips.release(app, given.ip))
    assert call(lambda c: c.ips.list(app)) == []


def test_a_deploy_token_is_for_its_app_only(call: Caller, server: Server, app: str) -> None:
    token = call(lambda c: c.tokens.create_deploy(app, expiry=60))
    other = f"{app}-2"
    call(lambda c: c.apps.create(other))
    with Client(server.endpoint.url, token) as client:
        assert client.apps.get(app).name == app
        assert [info.apps for info in client.tokens.current()] == [[app]]
        with pytest.raises(Unauthorized):
            client.apps.get(other)
    call(lambda c: c.apps.delete(other))


def test_tokens_are_looked_at(call: Caller, server: Server, app: str) -> None:
    header = f"Bearer {server.token}"
    assert call(lambda c: c.tokens.current())[0].org_slug == "personal"
    assert len(call(lambda c: c.tokens.authenticate(header))) == 1
    granted = call(lambda c: c.tokens.authorize(header, {"app_name": app, "action": "rw"}))
    assert granted.access.appid
    with pytest.raises((Invalid, Unauthorized)):
        call(lambda c: c.tokens.authenticate("Bearer nonsense"))


@pytest.mark.parametrize("name", ["oidc", "kms"])
def test_tokens_for_machines_are_not_for_us(call: Caller, name: str) -> None:
    with pytest.raises(Invalid):
        call(lambda c: getattr(c.tokens, name)())


def test_there_is_a_region_with_room(call: Caller) -> None:
    regions = call(lambda c: c.platform.regions())
    assert regions.nearest in {region.code for region in regions.regions}
    assert call(lambda c: c.platform.placements(count=1))[0].count == 1


def test_an_organisations_machines_come_over_pages(call: Caller, app: str) -> None:
    made = {call(lambda c: c.machines.create(app, config=RUNS)).id for _ in range(3)}
    page = call(lambda c: c.orgs.machines_page(limit=1))
    assert len(page.machines) == 1
    assert page.next_cursor
    seen = [found.id for found in call(lambda c: c.orgs.machines(summary=True))]
    assert made <= set(seen)
    assert len(seen) == len(set(seen))


def test_a_name_is_taken_once(call: Caller, app: str, machine: Machine) -> None:
    with pytest.raises(Conflict, match=machine.id):
        call(lambda c: c.machines.create(app, config=RUNS, name=machine.name))
