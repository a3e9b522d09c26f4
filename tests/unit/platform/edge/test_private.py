"""The private networks of a platform whose driver has some: what is told to whom, and when."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from ipaddress import IPv6Network
from pathlib import Path
from typing import Any

import pytest

from ephemera.platform.edge import networks
from ephemera.platform.network.names import Named
from ephemera.platform.records import AppRecord
from ephemera.platform.states import State
from tests.unit.platform.world import World, play_in, reach

Play = Callable[[Callable[[World], Awaitable[None]]], None]


class PlayedNetwork:
    """A driver's network that only notes what it is told."""

    host_address = "127.0.0.1"

    def __init__(self) -> None:
        self.services = ["127.0.0.1"]
        self.outside: dict[str, bool] = {}
        self.dropped: list[str] = []

    def listen(self, host: str, port: int, kind: socket.SocketKind = socket.SOCK_STREAM) -> Any:
        sock = socket.socket(socket.AF_INET, kind)
        sock.bind((host, 0))
        if kind == socket.SOCK_STREAM:
            sock.listen()
        sock.setblocking(False)
        return sock

    async def set_outside(self, network: str, *, outside: bool) -> None:
        self.outside[network] = outside

    async def drop(self, network: str) -> None:
        self.dropped.append(network)

    def network_of(self, address: str) -> str:
        """Return the network of a machine; clients from elsewhere are in none."""
        return str(IPv6Network((address, 48), strict=False)) if address.startswith("fdaa:") else ""


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Play a scene on a platform with private networks."""

    return partial(play_in, tmp_path, prepare=_with_networks)


def _with_networks(world: World) -> None:
    driver: Any = world.driver
    driver.network = PlayedNetwork()
    driver.capabilities = replace(driver.capabilities, private_network=True)


def network_of(world: World) -> PlayedNetwork:
    driver: Any = world.driver
    played: PlayedNetwork = driver.network
    return played


def prefix(app: AppRecord) -> str:
    return str(networks.of_app(app))


def test_a_boot_is_in_the_network_of_its_app_at_the_machine_s_own_address(play: Play) -> None:
    async def scene(world: World) -> None:
        owner = world.create("run")
        await reach(owner, State.STARTED)
        (spec,) = world.driver.specs.values()
        assert spec.network == prefix(world.app())
        assert spec.address == world.platform.address(owner.record) == spec.env["FLY_PRIVATE_IP"]
        assert spec.outside

    play(scene)


def test_names_tell_of_the_machines_of_the_apps_in_a_network(play: Play) -> None:
    async def scene(world: World) -> None:
        app, private = world.app(), world.platform.networks
        started = world.create("run", metadata={"fly_process_group": "web"})
        resting = world.create("run", skip_launch=True)
        await reach(started, State.STARTED)
        await reach(resting, State.STOPPED)
        other = world.platform.apps.create("other", "personal", "")
        assert list(private.apps(prefix(app))) == ["demo"]
        assert list(private.apps(prefix(other))) == ["other"]
        assert list(private.machines(prefix(other), "demo")) == []
        first, second = private.machines(prefix(app), "demo")
        address = world.platform.address(started.record)
        group = {"fly_process_group": "web"}
        assert first == Named(started.record.id, "local", address, started=True, metadata=group)
        assert (second.id, second.started) == (resting.record.id, False)

    play(scene)


def test_apps_that_share_a_network_see_each_other_and_share_its_way_out(play: Play) -> None:
    async def scene(world: World) -> None:
        platform = world.platform
        one, two = (platform.apps.create(name, "personal", "back") for name in ("one", "two"))
        alone = platform.apps.create("alone", "personal", "")
        assert prefix(one) == prefix(two)
        assert list(platform.networks.apps(prefix(one))) == ["one", "two"]
        await platform.networks.set_outside(one, outside=False)
        assert network_of(world).outside == {prefix(one): False}
        three = platform.apps.create("three", "personal", "back")
        found = {app.name: app.outside for app in platform.apps.of_org("personal")}
        assert found == {"one": False, "two": False, "three": False, "alone": True}
        await world.reopen()
        assert network_of(world).outside == {prefix(one): False, prefix(alone): True}
        assert not world.platform.apps.named("three").outside
        await world.platform.networks.set_outside(three, outside=True)
        assert {app.outside for app in world.platform.apps.of_org("personal")} == {True}

    play(scene)


def test_a_boot_of_a_closed_app_is_closed_from_the_beginning(play: Play) -> None:
    async def scene(world: World) -> None:
        await world.platform.networks.set_outside(world.app(), outside=False)
        await reach(world.create("run"), State.STARTED)
        (spec,) = world.driver.specs.values()
        assert not spec.outside

    play(scene)


def test_a_network_goes_with_the_last_app_in_it(play: Play) -> None:
    async def scene(world: World) -> None:
        platform = world.platform
        one, two = (platform.apps.create(name, "personal", "back") for name in ("one", "two"))
        await platform.delete_app("one", force=True)
        assert network_of(world).dropped == []
        await platform.delete_app("two", force=True)
        assert network_of(world).dropped == [prefix(two)] == [prefix(one)]

    play(scene)


def test_the_api_is_served_where_machines_look_for_it(play: Play) -> None:
    async def scene(world: World) -> None:
        (listener,) = world.platform.networks.listeners()
        with listener:
            assert listener.getsockname()[0] == "127.0.0.1"
        assert world.platform.networks.host_address == "127.0.0.1"

    play(scene)


def test_a_machine_reaches_the_apps_of_its_network_and_if_that_is_open_of_its_organisation(
    play: Play,
) -> None:
    async def scene(world: World) -> None:
        platform = world.platform
        one, two = (platform.apps.create(name, "personal", "back") for name in ("one", "two"))
        near = platform.apps.create("near", "personal", "")
        strange = platform.apps.create("strange", "others", "")
        client = networks.machine_address(one, "m")

        def reached() -> list[str]:
            found = [app.name for app in (one, two, near, strange)]
            return [name for name in found if platform.networks.serves(prefix(one), name)]

        def let_in() -> list[str]:
            apps = (one, two, near, strange)
            return [app.name for app in apps if platform.networks.reaches(client, app)]

        assert reached() == let_in() == ["one", "two", "near"]
        await platform.networks.set_outside(one, outside=False)
        assert reached() == let_in() == ["one", "two"]
        assert not platform.networks.serves(prefix(one), "none")
        for elsewhere in ("", "127.0.0.1"):
            assert platform.networks.reaches(elsewhere, strange)

    play(scene)
