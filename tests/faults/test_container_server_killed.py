"""A platform with containers is killed, with or without its machines: the next finds the truth."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ephemera.platform.drivers.base import BootSpec
from ephemera.platform.drivers.container.driver import ContainerDriver
from ephemera.platform.drivers.monitoring import kernel
from ephemera.testing.machines_api import SHELL, AppUnderTest, Subject
from ephemera.testing.serving import Server, serving
from tests import needs
from tests.container_world import Traces, World, kill, leaving_nothing, quiet, until

pytestmark = [*needs.containers, pytest.mark.faults, pytest.mark.timeout(300)]

#: How many random lives are lived; each takes a few seconds.
_ROUNDS = int(os.environ.get("EPHEMERA_FAULT_ROUNDS", "4"))
#: Says who it is, leaves something behind that left its session, and stays.
_STAYS = ("sh", "-c", 'echo "$ME"; setsid sleep 1000 & exec sleep 1000')
#: Goes on until it is asked to end, and then does so in its own way, once it has said `ready`.
_ASKED = ("sh", "-c", "trap 'exit 7' TERM; echo ready; while :; do sleep 0.02; done")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with leaving_nothing(tmp_path / "home") as world:
        yield world


async def _server(world: World, *command: str) -> asyncio.subprocess.Process:
    """Return a server that starts machines, one after the other, once it is there."""
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.container_server", str(world.home), "s"),
        *command,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert server.stdout is not None
    assert await server.stdout.readline() == b"open\n"
    return server


async def _first_handle(server: asyncio.subprocess.Process) -> str:
    assert server.stdout is not None
    return (await server.stdout.readline()).decode().strip()


async def _killed(server: asyncio.subprocess.Process) -> set[str]:
    """Kill a server; return the machines that it said were started."""
    server.kill()
    told, _ = await server.communicate()
    return {line.partition("/")[0] for line in told.decode().split()}


def _spec(world: World, machine_id: str) -> BootSpec:
    return world.spec(*_STAYS, machine_id=machine_id, env={"ME": machine_id})


async def _end(world: World, driver: ContainerDriver, machine_id: str) -> int:
    """End a machine that may run, start or have ended, and return its exit code.

    Its end is told once and does not change, and it never ran twice.
    """
    handle = await driver.start(_spec(world, machine_id), quiet)
    await driver.signal(handle, signal.SIGKILL)
    found = await driver.wait(handle)
    assert await driver.wait(handle) == found
    assert bool(found.error) == (found.exit_code == -1)
    assert world.lines(machine_id).count(machine_id) <= 1
    await driver.destroy(machine_id)
    return found.exit_code


@pytest.mark.parametrize("moment_ms", [0, 5, 10, 20, 40, 80])
def test_a_server_killed_while_it_starts_machines(moment_ms: int, world: World) -> None:
    """The next server finds each machine, running or not, and runs none twice."""

    async def check() -> None:
        server = await _server(world, *_STAYS)
        await asyncio.sleep(moment_ms / 1000)
        told = await _killed(server)
        async with world.driver() as driver:
            started = await driver.machines()
            assert told <= started
            for machine_id in started:
                assert await _end(world, driver, machine_id) == 128 + signal.SIGKILL

    asyncio.run(check())


def test_a_machine_goes_on_without_a_server_and_the_next_one_finds_its_exit(world: World) -> None:
    async def check() -> None:
        server = await _server(world, *_ASKED)
        handle = await _first_handle(server)
        await _killed(server)
        first = world.init("s-0")
        assert kernel.process(first)
        await until(lambda: "ready" in world.lines("s-0"), world.lines)
        for pid in _programs(world, "s-0"):
            os.kill(pid, signal.SIGTERM)
        await until(lambda: kernel.process(first) is None)
        async with world.driver() as driver:
            found = await driver.wait(handle)
            assert (found.exit_code, found.signal, found.error) == (7, -1, "")

    asyncio.run(check())


def _programs(world: World, machine_id: str) -> list[int]:
    """Return the children of a machine's monitor, but for the first process: its programs."""
    first = world.init(machine_id)
    parent = world.monitor(machine_id)
    return [one.pid for one in kernel.processes() if one.parent == parent and one.pid != first]


def test_everything_is_killed_at_once(world: World) -> None:
    async def check() -> None:
        server = await _server(world, *_STAYS)
        handles = [await _first_handle(server) for _ in range(3)]
        kill(server.pid, *world.traces.processes())
        told = {one.partition("/")[0] for one in handles} | await _killed(server)
        async with world.driver() as driver:
            found = [await driver.wait(handle) for handle in handles]
            assert [one.exit_code for one in found] == [-1] * 3
            assert all("monitor was killed" in one.error for one in found)
            assert told <= await driver.machines()

    asyncio.run(check())


@pytest.mark.parametrize("seed", range(_ROUNDS))
def test_whatever_is_killed_whenever_every_machine_has_one_end(seed: int, world: World) -> None:
    """Processes of the platform are killed at random while it starts machines, then itself."""
    rng = random.Random(seed)

    async def check() -> None:
        server = await _server(world, *_STAYS)
        for _ in range(rng.randrange(4)):
            # the moments of death are what is random here; nothing is waited for
            await asyncio.sleep(rng.uniform(0, 0.1))
            alive = sorted(world.traces.processes() - {server.pid})
            kill(*rng.sample(alive, min(len(alive), rng.choice([1, 1, 2, 5, 100]))))
        await asyncio.sleep(rng.uniform(0, 0.1))
        told = await _killed(server)
        async with world.driver() as driver:
            started = await driver.machines()
            assert told <= started
            for machine_id in started:
                assert await _end(world, driver, machine_id) in (-1, 128 + signal.SIGKILL)

    asyncio.run(check())


class TestThroughTheApi:
    @pytest.fixture(scope="class")
    @classmethod
    def server(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
        home = tmp_path_factory.mktemp("platform")
        with serving(home, driver="container") as served:
            yield served
        asyncio.run(Traces(home).vanish())

    @pytest.fixture
    def app(self, server: Server) -> Iterator[AppUnderTest]:
        subject = Subject(server.endpoint.url, server.token, programs=SHELL)
        with subject.connect() as http, AppUnderTest.made(subject, http) as app:
            yield app

    @pytest.fixture
    def world(self, server: Server) -> World:
        return World(server.home)

    def test_an_exit_that_no_server_saw_is_one_event(
        self, app: AppUnderTest, server: Server, world: World
    ) -> None:
        machine = app.created_and("started", _ASKED)
        _until_ready(app, machine)
        server.kill()
        for pid in _programs(world, machine):
            os.kill(pid, signal.SIGTERM)
        server.restart()
        app.reaches(machine, "stopped")
        (end,) = _exits(app, machine)
        assert (end["exit_code"], end["requested_stop"]) == (7, False)
        server.kill()
        server.restart()
        assert len(_exits(app, machine)) == 1

    @pytest.mark.parametrize("is_server_killed", [False, True])
    def test_a_killed_monitor_is_one_exit_event_that_says_why(
        self, app: AppUnderTest, server: Server, world: World, is_server_killed: bool
    ) -> None:
        machine = app.created_and("started", _STAYS)
        if is_server_killed:
            server.kill()
        kill(world.monitor(machine))
        if is_server_killed:
            server.restart()
        app.reaches(machine, "stopped")
        (end,) = _exits(app, machine)
        assert end["exit_code"] == -1
        assert "monitor was killed" in str(app.get(f"/machines/{machine}")["events"])

    def test_a_destroy_goes_on(self, app: AppUnderTest, server: Server, world: World) -> None:
        machine = app.created_and("started", _STAYS)
        first = world.init(machine)
        app.ask("DELETE", f"/machines/{machine}?force=true").raise_for_status()
        server.kill()
        server.restart()
        app.reaches(machine, "destroyed")
        assert kernel.process(first) is None
        assert not (server.home / "machines" / machine).exists()


def _until_ready(app: AppUnderTest, machine: str) -> None:
    """Return when the program of a machine has said that it is ready."""
    query = {"instance": machine}
    while True:
        answer = app.http.get(f"/api/v1/apps/{app.name}/logs", params=query)
        page = answer.raise_for_status().json()
        if "ready" in [line["attributes"]["message"] for line in page["data"]]:
            return
        query |= {"wait": "30", "next_token": page["meta"]["next_token"]}


def _exits(app: AppUnderTest, machine: str) -> list[dict[str, Any]]:
    events = app.get(f"/machines/{machine}")["events"]
    return [one["request"]["exit_event"] for one in events if one["type"] == "exit"]
