"""Releases against a platform that plays their machines: whatever fails, the one before serves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from uuid import uuid4

import pytest

from ephemera import Client
from ephemera.deploy.release import labels
from ephemera.deploy.release.image import Image, Place
from ephemera.deploy.release.leasing import Leases
from ephemera.deploy.release.making import Manner
from ephemera.deploy.release.plan import Strategy
from ephemera.deploy.release.restarting import restart_all
from ephemera.deploy.release.rollback import earlier
from ephemera.deploy.release.scaling import scale_count, scale_memory, scale_vm, scales
from ephemera.errors import (
    AppBusy,
    BuildError,
    ConfigError,
    DeployError,
    EphemeraError,
    Invalid,
    NotFound,
)
from ephemera.testing.clock import PlatformClock
from ephemera.testing.serving import Server
from tests.release_world import (
    WEB_OFFERS,
    Killed,
    Refused,
    World,
    command_of,
    labels_of,
    playing,
)

DRIVER = "mock"
OLD, NEW = playing("run"), playing("sleep", "1")
TWO_GROUPS = f"""
[processes]
web = ""
work = ""
{WEB_OFFERS}
"""
#: Every third request is tried, and the others in the slow tests.
EVERY_THIRD = pytest.mark.parametrize(
    "first", [1, *(pytest.param(one, marks=pytest.mark.faults) for one in (2, 3))]
)
OLD_SERVES = [("web", ("run",)), ("work", ("run",))]
NEW_SERVES = [("web", ("sleep", "1")), ("work", ("sleep", "1"))]


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a program stay for a moment only: what is played ends at once, or not at all."""
    monkeypatch.setattr("ephemera.deploy.release.watching.STAYS_S", 0.01)


@pytest.fixture
def world(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(server, tmp_path_factory.mktemp("project"), f"shop-{uuid4().hex[:8]}")
    yield made
    made.close()


@pytest.fixture
def web(world: World) -> World:
    """An app of two groups that is deployed."""
    world.write(TWO_GROUPS)
    world.deploy(OLD)
    assert world.serving() == OLD_SERVES
    return world


def test_a_first_deploy_makes_the_app_and_its_machines(world: World) -> None:
    world.write(TWO_GROUPS)
    done = world.deploy(OLD)
    assert world.serving() == OLD_SERVES
    assert sorted(one.name for one in world.machines) == ["web-1", "work-1"]
    assert (done.release.version, done.strategy, len(done.machines)) == (1, "rolling", 2)
    assert [one.status for one in world.releases] == ["succeeded"]


def test_two_machines_where_one_is_not_enough(world: World) -> None:
    world.write(TWO_GROUPS)
    world.deploy(OLD, high_availability=True)
    assert [group for group, _ in world.serving()] == ["web", "web", "work"]


@pytest.mark.parametrize("strategy", ["rolling", "bluegreen", "canary", "immediate"])
def test_a_release_takes_the_place_of_the_one_before(web: World, strategy: Strategy) -> None:
    for machine in web.deploy(NEW, strategy=strategy).machines:
        web.client.machines.wait(web.app, machine)
    assert web.serving() == NEW_SERVES
    assert [labels_of(one) for one in web.machines] == [{}, {}]
    assert [(one.version, one.status) for one in web.releases] == [
        (2, "succeeded"),
        (1, "succeeded"),
    ]


@pytest.mark.parametrize(
    ("strategy", "command", "why"),
    [
        ("rolling", "exit 3", "exit code 3"),
        ("rolling", "fail-boot full", "could not be started: full"),
        ("bluegreen", "oom", "ran out of memory"),
        ("canary", "exit 3", "exit code 3"),
    ],
)
def test_a_release_whose_machines_are_not_well_is_undone(
    web: World, strategy: Strategy, command: str, why: str
) -> None:
    before = {one.id for one in web.machines}
    with pytest.raises(DeployError, match=why):
        web.deploy(playing(*command.split()), strategy=strategy)
    assert web.serving() == OLD_SERVES
    assert {one.id for one in web.machines} == before
    assert [labels_of(one) for one in web.machines] == [{}, {}]
    assert web.releases[0].status == "failed"
    assert any("going back" in line for line in web.said)


def test_what_was_replaced_already_comes_back_when_a_later_group_fails(web: World) -> None:
    web.write(TWO_GROUPS.replace('work = ""', 'work = "work"'))
    with pytest.raises(DeployError, match="work"):
        web.deploy(NEW)  # the mock driver knows no command `work`
    assert web.serving() == OLD_SERVES


def test_a_first_release_that_fails_leaves_no_machine(world: World) -> None:
    with pytest.raises(DeployError):
        world.deploy(playing("exit", "1"))
    assert world.machines == []


@EVERY_THIRD
def test_whichever_request_fails_the_release_before_serves(web: World, first: int) -> None:
    """One group is replaced beside the old one, the other in place."""
    for at in range(first, 60, 3):
        client, transport = web.failing(at, Refused)
        with client:
            try:
                web.deploy(NEW, client=client)
            except EphemeraError:
                assert web.serving() == OLD_SERVES, f"request {at}"
                assert [labels_of(one) for one in web.machines] == [{}, {}], f"request {at}"
                continue
        if transport.changes < at:
            break
        # What follows the release, such as destroying what is old, is left to the next one.
        assert web.serving() == NEW_SERVES, f"request {at}"
        web.deploy(OLD)
        assert web.serving() == OLD_SERVES
    else:
        pytest.fail("no release got through")
    assert web.serving() == NEW_SERVES


@EVERY_THIRD
def test_wherever_a_release_is_killed_the_next_one_puts_it_right(web: World, first: int) -> None:
    clock = PlatformClock(web.server.endpoint.url, web.server.token)
    for at in range(first, 60, 3):
        client, transport = web.failing(at, Killed)
        with suppress(Killed):
            web.deploy(NEW, client=client)
        assert {group for group, _ in web.serving()} >= {"web"}, f"request {at}"
        clock.move(60)  # its leases are over
        with pytest.raises(DeployError):
            web.deploy(playing("exit", "1"))
        assert web.serving() in (OLD_SERVES, NEW_SERVES), f"request {at}"
        assert [labels_of(one) for one in web.machines] == [{}, {}], f"request {at}"
        if transport.changes < at:
            break
        web.deploy(OLD, strategy="immediate")
    else:
        pytest.fail("no release got through")
    clock.close()


def test_what_is_built_in_vain_changes_nothing(web: World) -> None:
    def build() -> object:
        raise BuildError("no")

    with pytest.raises(BuildError):
        web.deploy(build)  # type: ignore[arg-type]
    assert web.serving() == OLD_SERVES
    assert len(web.releases) == 1


def test_machines_of_jobs_are_left_alone(web: World) -> None:
    config = {"image": "host", "init": {"exec": ["run"]}, "restart": {"policy": "no"}}
    job = web.client.machines.create(web.app, config=config, name="web-2")
    web.deploy(NEW)
    after = web.client.machines.get(web.app, job.id)
    assert (after.state, after.instance_id) == ("started", job.instance_id)


def test_two_cannot_deploy_at_once(web: World) -> None:
    def build() -> object:
        with pytest.raises(AppBusy, match=r"a deploy by .* since 20"):
            web.deploy(OLD)
        return NEW

    web.deploy(build)  # type: ignore[arg-type]
    assert web.serving() == NEW_SERVES


def test_what_is_held_is_held_for_as_long_as_a_deploy_takes(
    web: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ephemera.deploy.release.leasing._REFRESH_EVERY_S", 0.01)
    machine = web.machines[0].id

    def build() -> object:
        before = web.client.leases.get(web.app, machine).expires_at
        while web.client.leases.get(web.app, machine).expires_at == before:
            pass  # until it is refreshed, or the test takes too long
        return NEW

    web.deploy(build)  # type: ignore[arg-type]
    with pytest.raises(NotFound):
        web.client.leases.get(web.app, machine)


def test_two_cannot_deploy_for_the_first_time_at_once(world: World) -> None:
    def build() -> object:
        world.deploy(OLD)
        return NEW

    with pytest.raises(AppBusy, match="somebody else"):
        world.deploy(build)  # type: ignore[arg-type]
    assert world.serving() == [("app", ("run",))]


def test_a_group_that_is_gone_from_the_file_goes(web: World) -> None:
    web.write('[processes]\nwork = ""\n')
    web.deploy(NEW)
    assert web.serving() == [("work", ("sleep", "1"))]


def test_machines_at_rest_rest_on_but_for_one_that_shows_that_it_works(web: World) -> None:
    scale_count(web.client, web.app, {"work": 3}, web.manner)
    for one in labels.managed(web.machines):
        if labels.group(one) == "work":
            web.client.machines.stop(web.app, one.id)
            web.client.machines.wait(web.app, one.id, "stopped")
    web.deploy(NEW)
    states = sorted(one.state for one in web.machines if labels.group(one) == "work")
    assert states == ["started", "stopped", "stopped"]
    assert {command_of(one) for one in web.machines} == {("sleep", "1")}


def test_a_machine_that_is_woken_while_the_image_is_built_runs_on(
    web: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[Leases] = []

    def leases(client: Client, app: str, what: str) -> Leases:
        held.append(Leases(client, app, what))
        return held[-1]

    monkeypatch.setattr("ephemera.deploy.release.making.Leases", leases)
    scale_count(web.client, web.app, {"work": 3}, web.manner)
    work = [one.id for one in labels.managed(web.machines) if labels.group(one) == "work"]
    for one in work:
        web.client.machines.stop(web.app, one)
        web.client.machines.wait(web.app, one, "stopped")

    def build() -> Image:
        for one in work:
            # By the proxy, which asks for no lease.
            web.client.machines.start(web.app, one, nonce=held[-1].nonce(one))
        return NEW

    web.deploy(build)
    assert [one.state for one in web.machines if labels.group(one) == "work"] == ["started"] * 3
    assert {command_of(one) for one in web.machines} == {("sleep", "1")}


# volumes


MOUNTED = '[[mounts]]\nsource = "data"\ndestination = "/data"\n'


def test_a_volume_is_made_and_kept_by_its_machine(world: World) -> None:
    world.write(MOUNTED)
    world.deploy(playing("run"))
    (before,) = world.machines
    (volume,) = world.client.volumes.list(world.app)
    assert (volume.name, volume.attached_machine_id) == ("data", before.id)
    world.deploy(NEW)
    (after,) = world.machines
    assert after.id == before.id
    assert len(world.client.volumes.list(world.app)) == 1


def test_a_volume_that_nobody_has_is_used(world: World) -> None:
    world.deploy(OLD)
    world.client.volumes.create(world.app, name="data", size_gb=1)
    world.write(MOUNTED)
    world.deploy(NEW)
    (machine,) = world.machines
    (volume,) = world.client.volumes.list(world.app)
    assert volume.attached_machine_id == machine.id


# the release command


COMMAND = '[deploy]\nrelease_command = "{}"\n'


def test_a_release_command_runs_before_any_machine(world: World) -> None:
    world.write(COMMAND.format("print migrating"))
    world.deploy(OLD)
    shown = world.said.index("  migrating")
    assert shown < world.said.index("creating machine app-1")
    assert [one.name for one in world.machines] == ["app-1"]


@pytest.mark.parametrize(
    ("command", "why"),
    [("exit 4", "exit code 4"), ("oom", "memory"), ("fail-boot x", "could not be started")],
)
def test_a_release_command_that_fails_stops_the_release(
    world: World, command: str, why: str
) -> None:
    world.deploy(OLD)
    world.write(COMMAND.format(command))
    for _ in range(2):  # the machine of the first one makes room for that of the second
        with pytest.raises(DeployError, match=why) as caught:
            world.deploy(NEW)
        kept = world.client.machines.get(world.app, caught.value.machine_id)
        assert kept.state in ("stopped", "failed")
    assert world.serving() == [("app", ("run",))]
    assert len(world.machines) == 2


def test_a_release_command_that_takes_too_long_is_stopped(world: World) -> None:
    world.write(COMMAND.format("run"))
    with pytest.raises(DeployError, match="too long"):
        world.deploy(OLD, command_timeout_s=0.1)
    assert [(one.name, one.state) for one in world.machines] == [("release-command", "stopped")]


def test_a_release_command_can_be_left_out(world: World) -> None:
    world.write(COMMAND.format("exit 4"))
    world.deploy(OLD, runs_command=False)
    assert world.serving() == [("app", ("run",))]


def test_there_is_one_release_command_at_a_time(world: World) -> None:
    world.write(COMMAND.format("run"))
    said: list[str] = []

    def tell(line: str) -> None:
        said.append(line)
        if line.startswith("running the release command") and len(said) < 5:
            world.client.machines.create(
                world.app,
                name="release-command",
                config={"image": "host", "init": {"exec": ["run"]}},
                lease_ttl=60,
            )

    with pytest.raises(AppBusy, match="release command of another deploy"):
        world.deploy(OLD, manner=Manner(tell))


# what else makes a release


def test_secrets_reach_machines_by_a_restart(web: World) -> None:
    before = {one.instance_id for one in web.machines}
    web.client.secrets.set(web.app, "KEY", "x")
    assert restart_all(web.client, web.app, web.manner) == 2
    assert web.serving() == OLD_SERVES
    assert not before & {one.instance_id for one in web.machines}
    assert [one.description for one in web.releases] == ["restart", "deploy"]


def test_an_app_without_machines_has_nothing_to_restart(world: World) -> None:
    world.client.apps.create(world.app)
    assert restart_all(world.client, world.app, world.manner) == 0


def test_one_goes_back_to_the_release_before(web: World) -> None:
    web.deploy(NEW)
    release = earlier(web.client, web.app, None)
    web.deploy(release.image_of, runs_command=False, description="rollback to v1")
    assert web.serving() == OLD_SERVES
    assert [one.version for one in web.releases] == [3, 2, 1]


def test_machines_are_as_many_as_are_wanted(web: World) -> None:
    scale_count(web.client, web.app, {"web": 3, "work": 0}, web.manner)
    assert web.serving() == [("web", ("run",))] * 3
    web.deploy(NEW)
    assert len([group for group, _ in web.serving() if group == "web"]) == 3
    scale_count(web.client, web.app, {"web": 1}, web.manner)
    assert [group for group, _ in web.serving()].count("web") == 1


def test_an_app_without_machines_knows_its_releases(web: World) -> None:
    scale_count(web.client, web.app, {"web": 0, "work": 0}, web.manner)
    assert web.serving() == []
    assert [(one.name, one.state) for one in web.machines] == [("releases", "stopped")]
    with pytest.raises(DeployError):
        web.deploy(playing("exit", "1"))
    assert [(one.version, one.status) for one in web.releases] == [(2, "failed"), (1, "succeeded")]
    assert earlier(web.client, web.app, 1).image_of() == OLD
    web.deploy(NEW)
    assert web.serving() == NEW_SERVES
    assert len(web.machines) == 2
    assert [one.version for one in web.releases] == [3, 2, 1]


def test_an_app_whose_history_cannot_be_kept_is_scaled_to_nothing(web: World) -> None:
    other = web.client.machines.create(
        web.app, config={"image": "host", "init": {"exec": ["run"]}}, name="releases"
    )
    scale_count(web.client, web.app, {"web": 0, "work": 0}, web.manner)
    assert [one.id for one in web.machines] == [other.id]
    assert any("history of releases will be lost" in line for line in web.said)


def test_machines_are_as_large_as_is_wanted_also_after_a_deploy(web: World) -> None:
    scale_memory(web.client, web.app, 512, "web", web.manner)
    scale_vm(web.client, web.app, "shared-cpu-2x", "work", web.manner)
    web.deploy(NEW)
    found = {one.group: (one.count, one.cpus, one.memory_mb) for one in scales(web.client, web.app)}
    assert found == {"web": (1, 1, 512), "work": (1, 2, 512)}


def test_a_size_that_is_refused_changes_nothing(web: World) -> None:
    with pytest.raises(ConfigError, match="100 MB") as odd:
        scale_memory(web.client, web.app, 100, None, web.manner)
    with pytest.raises(Invalid, match="4096") as large:
        scale_memory(web.client, web.app, 4096, None, web.manner)
    assert "multiple of 256 MB" in odd.value.hint == large.value.hint
    with pytest.raises(ConfigError, match="no size"):
        scale_vm(web.client, web.app, "huge", None, web.manner)
    with pytest.raises(ConfigError, match="no machine"):
        scale_memory(web.client, web.app, 512, "no-such", web.manner)
    with pytest.raises(ConfigError, match="which group"):
        scale_count(web.client, web.app, {"": 2}, web.manner)
    assert web.serving() == OLD_SERVES
    assert {one.memory_mb for one in scales(web.client, web.app)} == {256}


def test_a_region_of_fly_is_no_mistake_on_this_computer(world: World) -> None:
    world.write('primary_region = "ams"\n')
    world.deploy(OLD)
    assert any("region ams" in line for line in world.said)
    with pytest.raises(ConfigError, match="no region 'fra'"):
        world.deploy(OLD, regions=["fra"])


def test_one_does_not_go_back_to_what_is_gone(world: World) -> None:
    place = Place(("run",), ("sh", "/no/such/folder"), {})
    world.deploy(Image("host", place))
    world.deploy(NEW)
    with pytest.raises(ConfigError, match="is gone"):
        earlier(world.client, world.app, 1)
    assert world.serving() == [("app", ("sleep", "1"))]
